"""The activations of BLIP whose channels can be rescaled within its weights.

A channel is divided where it is computed and multiplied where it is read. By powers of two every
product and every sum keeps its digits, so fp32 results are equal bit for bit.

The input of a vision MLP's second layer has no such place, because GELU lies between. Nor have the
norms of the decoder, whose outputs go into residuals too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BlipForConditionalGeneration
from transformers.models.blip.modeling_blip import BlipEncoderLayer
from transformers.models.blip.modeling_blip_text import BlipTextAttention, BlipTextLayer

from export.graphs import decoder_layers, vision_layers

IMAGE = "encoder.image_embeds"


@dataclass(frozen=True, slots=True)
class Folding:
    """The weights that compute an activation, and the weights that read it.

    They share memory with the model. The activation's channels are their last axis.
    """

    divided: Sequence[Tensor]
    multiplied: Sequence[Tensor]

    @torch.no_grad()
    def apply(self, factors: Tensor) -> None:
        """Divide the activation's channels by `factors`, f32 [channels]."""
        for weight in self.divided:
            weight.div_(factors)
        for weight in self.multiplied:
            weight.mul_(factors)


def foldings_of(model: BlipForConditionalGeneration) -> dict[str, Folding]:
    """Return all of them by the names of the layers that read them."""
    blocks = decoder_layers(model)
    foldings = {IMAGE: image_folding(model.vision_model.post_layernorm, blocks)}
    for index, layer in enumerate(vision_layers(model)):
        foldings |= _named(f"encoder.layers.{index}", vision_foldings(layer))
    for index, block in enumerate(blocks):
        foldings |= _named(f"decoder.layers.{index}", text_foldings(block))
    return foldings


def vision_foldings(layer: BlipEncoderLayer) -> dict[str, Folding]:
    attention, mlp = layer.self_attn, layer.mlp
    query, key, value = (rows_of(attention.qkv, part, 3) for part in range(3))
    return {
        "qkv": Folding(norm_of(layer.layer_norm1), columns_of(attention.qkv)),
        "scores": Folding(query, key),
        "projection": Folding(value, columns_of(attention.projection)),
        "mlp.fc1": Folding(norm_of(layer.layer_norm2), columns_of(mlp.fc1)),
    }


def text_foldings(layer: BlipTextLayer) -> dict[str, Folding]:
    cross = layer.crossattention
    return {
        "attention.output.dense": value_folding(layer.attention),
        "cross_attention.key": Folding(rows_of(cross.self.query), rows_of(cross.self.key)),
        "cross_attention.dense": value_folding(cross),
    }


def image_folding(norm: nn.LayerNorm, layers: Sequence[BlipTextLayer]) -> Folding:
    """Return the one of the encoder's last hidden state, which every cross-attention reads."""
    attentions = [layer.crossattention.self for layer in layers]
    readers = [linear for each in attentions for linear in (each.key, each.value)]
    return Folding(norm_of(norm), [weight for linear in readers for weight in columns_of(linear)])


def value_folding(attention: BlipTextAttention) -> Folding:
    """Return the one of the contexts, which the output projection reads."""
    return Folding(rows_of(attention.self.value), columns_of(attention.output.dense))


def norm_of(norm: nn.LayerNorm) -> list[Tensor]:
    return [norm.weight.detach(), norm.bias.detach()]


def columns_of(linear: nn.Linear) -> list[Tensor]:
    return [linear.weight.detach()]


def rows_of(linear: nn.Linear, part: int = 0, parts: int = 1) -> list[Tensor]:
    """Return weight and bias of one of several equal parts of a linear layer's outputs."""
    weight = linear.weight.detach().chunk(parts)[part].T
    return [weight] if linear.bias is None else [weight, linear.bias.detach().chunk(parts)[part]]


def _named(layer: str, foldings: dict[str, Folding]) -> dict[str, Folding]:
    return {f"{layer}.{name}": folding for name, folding in foldings.items()}
