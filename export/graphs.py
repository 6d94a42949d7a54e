"""The two graphs of BLIP: an encoder that runs once per picture, a decoder step per token.

The cross-attention keys and values depend on the picture alone, so they leave the encoder once
instead of being projected again from every vision token at every generated token.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from transformers import BlipForConditionalGeneration
from transformers.models.blip.modeling_blip import BlipEncoderLayer
from transformers.models.blip.modeling_blip_text import BlipTextLayer

from export.layers import DecoderLayer, KeyValue, VisionLayer, split_heads

# What BlipTextModel adds to the score of a position that must not be seen.
MASKED_SCORE = -10000.0


class PictureEncoder(nn.Module):
    """Vision model and the cross-attention projections of every decoder layer."""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.config = model.config
        self.heads = model.config.text_config.num_attention_heads
        self.embeddings = model.vision_model.embeddings
        self.layers = nn.ModuleList(VisionLayer(layer) for layer in vision_layers(model))
        self.norm = model.vision_model.post_layernorm
        attentions = [layer.crossattention.self for layer in decoder_layers(model)]
        self.keys = nn.ModuleList(attention.key for attention in attentions)
        self.values = nn.ModuleList(attention.value for attention in attentions)

    def forward(self, pixel_values: Tensor) -> dict[str, list[KeyValue]]:
        """
        Args:
            pixel_values: f32 [batch, 3, height, width]

        Returns:
            cross_key_values: per decoder layer, key f32 [batch, heads, head_dim, tokens], the way
                round that the decoder multiplies by, and value f32 [batch, heads, tokens, head_dim]
        """
        hidden_states = self.embeddings(pixel_values)
        for layer in self.layers:
            hidden_states = layer(hidden_states)
        image_embeds = self.norm(hidden_states)
        return {
            "cross_key_values": [
                (
                    split_heads(key(image_embeds), self.heads).transpose(2, 3),
                    split_heads(value(image_embeds), self.heads),
                )
                for key, value in zip(self.keys, self.values, strict=True)
            ]
        }


class DecoderStep(nn.Module):
    """The text decoder over new tokens, given what earlier tokens and the picture left behind."""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.config = model.config
        self.embeddings = model.text_decoder.bert.embeddings
        self.layers = nn.ModuleList(DecoderLayer(layer) for layer in decoder_layers(model))
        self.head = model.text_decoder.cls

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        attention_mask: Tensor,
        past_key_values: Sequence[KeyValue],
        cross_key_values: Sequence[KeyValue],
    ) -> dict[str, Tensor | list[KeyValue]]:
        """
        Args:
            input_ids: i64 [batch, sequence]
            position_ids: i64 [batch, sequence]; an input because a Range that feeds the position
                embedding's Gather is rewritten by ONNX Runtime to a Slice that fails at run time
            attention_mask: i64 [batch, past + sequence]: 1, or 0 for padding on the left, by which
                rows of different lengths share a batch
            past_key_values: per layer, key and value f32 [batch, heads, past, head_dim];
                past may be 0
            cross_key_values: per layer, key f32 [cross_batch, heads, head_dim, tokens] and value
                f32 [cross_batch, heads, tokens, head_dim]; cross_batch is batch, or 1 for all rows
                to look at the same picture

        Returns:
            logits: f32 [batch, vocab], of the last position only
            present: per layer, key and value f32 [batch, heads, past + sequence, head_dim]
        """
        hidden_states = self.embeddings(input_ids, position_ids=position_ids)
        mask = causal_mask(attention_mask, sequence=input_ids.shape[1])
        present = []
        for layer, past, cross in zip(self.layers, past_key_values, cross_key_values, strict=True):
            hidden_states, key_value = layer(hidden_states, mask, past, cross)
            present.append(key_value)
        # A matrix, not a [batch, 1, hidden] tensor: so the last linear layer becomes a Gemm, which
        # reads the word embedding transposed, and the tied weight lies in the file once.
        return {"logits": self.head(hidden_states[:, -1]), "present": present}


def vision_layers(model: BlipForConditionalGeneration) -> list[BlipEncoderLayer]:
    return cast(list[BlipEncoderLayer], list(model.vision_model.encoder.layers))


def decoder_layers(model: BlipForConditionalGeneration) -> list[BlipTextLayer]:
    return cast(list[BlipTextLayer], list(model.text_decoder.bert.encoder.layer))


def causal_mask(attention_mask: Tensor, sequence: int) -> Tensor:
    """f32 [batch, 1, sequence, past + sequence].

    Zero where the last `sequence` positions may look: at unpadded ones up to their own. Elsewhere
    MASKED_SCORE.
    """
    positions = torch.arange(attention_mask.shape[1])
    later = positions > positions[-sequence:, None]
    unseen = later | (attention_mask == 0)[:, None, None, :]
    return unseen.float() * MASKED_SCORE
