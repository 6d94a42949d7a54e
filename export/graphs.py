"""The two graphs of BLIP: an encoder that runs once per picture, a decoder step per token.

The encoder ends in its last hidden state, which every decoder step reads (export.layers).
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import BlipForConditionalGeneration
from transformers.models.blip.modeling_blip import BlipEncoderLayer
from transformers.models.blip.modeling_blip_text import BlipTextLayer

from export.layers import DecoderLayer, KeyValue, VisionLayer

#: The encoder's output, which the decoder takes.
IMAGE_EMBEDS = "image_embeds"
# What BlipTextModel adds to the score of a position that must not be seen.
MASKED_SCORE = -10000.0


class PictureEncoder(nn.Module):
    """The vision model."""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.config = model.config
        self.embeddings = model.vision_model.embeddings
        self.layers = nn.ModuleList(VisionLayer(layer) for layer in vision_layers(model))
        self.norm = model.vision_model.post_layernorm
        self.shape = image_embeds_shape(model.config)

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        """
        Args:
            pixel_values: f32 [batch, 3, height, width]

        Returns:
            image_embeds: the last hidden state, f32 [batch, tokens, width]
        """
        hidden_states = self.embeddings(pixel_values)
        for layer in self.layers:
            hidden_states = layer(hidden_states)
        # Reshaped, as the exporter leaves the width of a norm's output open.
        image_embeds = self.norm(hidden_states).reshape(pixel_values.shape[0], *self.shape)
        return {IMAGE_EMBEDS: image_embeds}


class DecoderStep(nn.Module):
    """The text decoder over new tokens, given the keys and values of earlier tokens."""

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
        image_embeds: Tensor,
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
            image_embeds: f32 [image_batch, tokens, width]; image_batch is batch, or 1 for all rows
                to look at the same picture

        Returns:
            logits: f32 [batch, vocab], of the last position only
            present: per layer, key and value f32 [batch, heads, past + sequence, head_dim]
        """
        hidden_states = self.embeddings(input_ids, position_ids=position_ids)
        mask = causal_mask(attention_mask, sequence=input_ids.shape[1])
        present = []
        for layer, past in zip(self.layers, past_key_values, strict=True):
            hidden_states, key_value = layer(hidden_states, mask, past, image_embeds)
            present.append(key_value)
        # A matrix, not a [batch, 1, hidden] tensor: so the last linear layer becomes a Gemm, which
        # reads the word embedding transposed, and the tied weight lies in the file once.
        return {"logits": self.head(hidden_states[:, -1]), "present": present}


def image_embeds_shape(config: Any) -> tuple[int, int]:
    """Return the tokens of a BlipConfig's pictures, class token included, and their width."""
    vision = config.vision_config
    return (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size


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
