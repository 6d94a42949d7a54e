"""The two graphs of BLIP: an encoder that runs once per picture, a decoder step per token.

The cross-attention keys and values depend on the picture alone, so they leave the encoder once
instead of being projected again from every vision token at every generated token.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import BlipForConditionalGeneration
from transformers.models.blip.modeling_blip_text import (
    BlipTextAttention,
    BlipTextLayer,
    BlipTextSelfAttention,
)

KeyValue = tuple[Tensor, Tensor]

# What BlipTextModel adds to the score of a position that must not be seen.
MASKED_SCORE = -10000.0


class PictureEncoder(nn.Module):
    """Vision model and the cross-attention projections of every decoder layer."""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.config = model.config
        self.heads = model.config.text_config.num_attention_heads
        self.vision_model = model.vision_model
        attentions = [layer.crossattention.self for layer in decoder_layers(model)]
        self.keys = nn.ModuleList(attention.key for attention in attentions)
        self.values = nn.ModuleList(attention.value for attention in attentions)

    def forward(self, pixel_values: Tensor) -> dict[str, list[KeyValue]]:
        """
        Args:
            pixel_values: f32 [batch, 3, height, width]

        Returns:
            cross_key_values: per decoder layer, key and value f32 [batch, heads, tokens, head_dim]
        """
        image_embeds = self.vision_model(pixel_values).last_hidden_state
        return {
            "cross_key_values": [
                (
                    split_heads(key(image_embeds), self.heads),
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
        self.heads = model.config.text_config.num_attention_heads
        self.embeddings = model.text_decoder.bert.embeddings
        self.layers = nn.ModuleList(decoder_layers(model))
        self.head = model.text_decoder.cls

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        past_key_values: Sequence[KeyValue],
        cross_key_values: Sequence[KeyValue],
    ) -> dict[str, Tensor | list[KeyValue]]:
        """
        Args:
            input_ids: i64 [batch, sequence]
            position_ids: i64 [batch, sequence]; an input because a Range that feeds the position
                embedding's Gather is rewritten by ONNX Runtime to a Slice that fails at run time
            past_key_values: per layer, key and value f32 [batch, heads, past, head_dim];
                past may be 0
            cross_key_values: per layer, key and value f32 [cross_batch, heads, tokens, head_dim];
                cross_batch is batch, or 1 for all rows to look at the same picture

        Returns:
            logits: f32 [batch, vocab], of the last position only
            present: per layer, key and value f32 [batch, heads, past + sequence, head_dim]
        """
        hidden_states = self.embeddings(input_ids, position_ids=position_ids)
        mask = causal_mask(past=past_key_values[0][0].shape[2], sequence=input_ids.shape[1])
        present = []
        for layer, past, cross in zip(self.layers, past_key_values, cross_key_values, strict=True):
            hidden_states, key_value = self._run_layer(
                cast(BlipTextLayer, layer), hidden_states, mask, past, cross
            )
            present.append(key_value)
        # A matrix, not a [batch, 1, hidden] tensor: so the last linear layer becomes a Gemm, which
        # reads the word embedding transposed, and the tied weight lies in the file once.
        return {"logits": self.head(hidden_states[:, -1]), "present": present}

    def _run_layer(
        self,
        layer: BlipTextLayer,
        hidden_states: Tensor,
        mask: Tensor,
        past: KeyValue,
        cross: KeyValue,
    ) -> tuple[Tensor, KeyValue]:
        own = layer.attention.self
        key = torch.cat([past[0], split_heads(own.key(hidden_states), self.heads)], dim=2)
        value = torch.cat([past[1], split_heads(own.value(hidden_states), self.heads)], dim=2)
        hidden_states = attend(layer.attention, hidden_states, (key, value), mask)
        hidden_states = attend(layer.crossattention, hidden_states, cross)
        feed_forward = cast(nn.Module, layer.feed_forward_chunk)
        return feed_forward(hidden_states), (key, value)


def decoder_layers(model: BlipForConditionalGeneration) -> list[BlipTextLayer]:
    return cast(list[BlipTextLayer], list(model.text_decoder.bert.encoder.layer))


def attend(
    attention: BlipTextAttention,
    hidden_states: Tensor,
    key_value: KeyValue,
    mask: Tensor | None = None,
) -> Tensor:
    """Attention over ready keys and values, with BLIP's output projection, residual and norm.

    Args:
        hidden_states: f32 [batch, sequence, hidden]
        key_value: f32 [batch or 1, heads, positions, head_dim] each
        mask: f32 [sequence, positions], added to the scores

    Returns:
        f32 [batch, sequence, hidden]
    """
    key, value = key_value
    query = split_heads(scaled_query(attention.self, hidden_states), key.shape[1])
    scores = query @ key.transpose(2, 3)
    if mask is not None:
        scores = scores + mask
    context = (scores.softmax(dim=-1) @ value).transpose(1, 2)
    context = context.reshape(context.shape[0], context.shape[1], -1)
    output: Tensor = attention.output(context, hidden_states)
    return output


def scaled_query(attention: BlipTextSelfAttention, hidden_states: Tensor) -> Tensor:
    """Query over sqrt(head_dim), by weights that the exporter folds into constants.

    Scaling the scores instead makes a decoder step about a fifth slower: ONNX Runtime fuses the
    scale into the matrix product, which then leaves the kernel made for a single row.
    """
    scale = attention.attention_head_size**-0.5
    return linear(hidden_states, attention.query.weight * scale, attention.query.bias * scale)


def split_heads(states: Tensor, heads: int) -> Tensor:
    """[batch, positions, heads * head_dim] -> [batch, heads, positions, head_dim]"""
    batch, positions, hidden = states.shape
    return states.view(batch, positions, heads, hidden // heads).transpose(1, 2)


def causal_mask(past: int, sequence: int) -> Tensor:
    """f32 [sequence, past + sequence]: zero up to a row's own position, MASKED_SCORE after it."""
    positions = torch.arange(past + sequence)
    unseen = positions[None, :] > positions[past:, None]
    return unseen.float() * MASKED_SCORE
