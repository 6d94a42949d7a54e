"""BLIP's transformer layers, arranged for inference: the same numbers from fewer, larger products.

Query, key and value of a layer come from one linear layer where few rows go in, and the query's
scale lies in its weights. Scaling the scores instead makes a decoder step about a fifth slower:
ONNX Runtime fuses the scale into the matrix product, which then leaves the kernel made for a row.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers.models.blip.modeling_blip import BlipEncoderLayer
from transformers.models.blip.modeling_blip_text import BlipTextAttention, BlipTextLayer

KeyValue = tuple[Tensor, Tensor]


class VisionLayer(nn.Module):
    """BlipEncoderLayer: attention and MLP, each behind a norm and beside a residual."""

    def __init__(self, layer: BlipEncoderLayer) -> None:
        super().__init__()
        attention = layer.self_attn
        query, key, value = divided(attention.qkv, 3)
        self.heads = attention.num_heads
        self.query = scaled(query, attention.scale)
        self.key = key
        self.value = value
        self.projection = attention.projection
        self.mlp = layer.mlp
        self.norm_before_attention = layer.layer_norm1
        self.norm_before_mlp = layer.layer_norm2

    def forward(self, hidden_states: Tensor) -> Tensor:
        """f32 [batch, tokens, hidden] to the same"""
        states = self.norm_before_attention(hidden_states)
        query, key, value = (
            split_heads(linear(states), self.heads) for linear in (self.query, self.key, self.value)
        )
        context = attend(query, key.transpose(2, 3), value)
        hidden_states = hidden_states + self.projection(context)
        output: Tensor = hidden_states + self.mlp(self.norm_before_mlp(hidden_states))
        return output


class DecoderLayer(nn.Module):
    """BlipTextLayer: self-attention, cross-attention and MLP, each with residual and norm."""

    def __init__(self, layer: BlipTextLayer) -> None:
        super().__init__()
        self.attention = SelfAttention(layer.attention)
        self.cross_attention = CrossAttention(layer.crossattention)
        self.intermediate = layer.intermediate
        self.output = layer.output

    def forward(
        self, hidden_states: Tensor, mask: Tensor, past: KeyValue, cross: KeyValue
    ) -> tuple[Tensor, KeyValue]:
        """The layer's output f32 [batch, sequence, hidden], and its keys and values so far."""
        hidden_states, key_value = self.attention(hidden_states, mask, past)
        hidden_states = self.cross_attention(hidden_states, cross)
        return self.output(self.intermediate(hidden_states), hidden_states), key_value


class SelfAttention(nn.Module):
    def __init__(self, attention: BlipTextAttention) -> None:
        super().__init__()
        own = attention.self
        self.heads = own.num_attention_heads
        self.qkv = packed([scaled_query(attention), own.key, own.value])
        self.output = attention.output

    def forward(
        self, hidden_states: Tensor, mask: Tensor, past: KeyValue
    ) -> tuple[Tensor, KeyValue]:
        heads = split_heads(self.qkv(hidden_states), 3 * self.heads)
        query, new_key, new_value = heads.split(self.heads, dim=1)
        key = torch.cat([past[0], new_key], dim=2)
        value = torch.cat([past[1], new_value], dim=2)
        context = attend(query, key.transpose(2, 3), value, mask)
        return self.output(context, hidden_states), (key, value)


class CrossAttention(nn.Module):
    def __init__(self, attention: BlipTextAttention) -> None:
        super().__init__()
        self.heads = attention.self.num_attention_heads
        self.query = scaled_query(attention)
        self.output = attention.output

    def forward(self, hidden_states: Tensor, cross: KeyValue) -> Tensor:
        query = split_heads(self.query(hidden_states), self.heads)
        output: Tensor = self.output(attend(query, *cross), hidden_states)
        return output


def attend(
    query: Tensor, transposed_key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Attention by a query that is scaled already.

    Args:
        query: f32 [batch, heads, sequence, head_dim]
        transposed_key: f32 [batch or 1, heads, head_dim, positions]
        value: f32 [batch or 1, heads, positions, head_dim]
        mask: f32 [batch, 1, sequence, positions], added to the scores

    Returns:
        f32 [batch, sequence, heads * head_dim]
    """
    scores = query @ transposed_key
    if mask is not None:
        scores = scores + mask
    return merge_heads(scores.softmax(dim=-1) @ value)


def split_heads(states: Tensor, heads: int) -> Tensor:
    """[batch, positions, heads * head_dim] -> [batch, heads, positions, head_dim]"""
    batch, positions, hidden = states.shape
    return states.view(batch, positions, heads, hidden // heads).transpose(1, 2)


def merge_heads(states: Tensor) -> Tensor:
    """[batch, heads, positions, head_dim] -> [batch, positions, heads * head_dim]"""
    by_position = states.transpose(1, 2)
    return by_position.reshape(by_position.shape[0], by_position.shape[1], -1)


def scaled_query(attention: BlipTextAttention) -> nn.Linear:
    return scaled(attention.self.query, attention.self.attention_head_size**-0.5)


def scaled(linear: nn.Linear, factor: float) -> nn.Linear:
    bias = None if linear.bias is None else linear.bias * factor
    return linear_of(linear.weight * factor, bias)


def packed(linears: Sequence[nn.Linear]) -> nn.Linear:
    """One layer with the outputs of several one after the other."""
    return linear_of(
        torch.cat([each.weight for each in linears]), torch.cat([each.bias for each in linears])
    )


def divided(linear: nn.Linear, parts: int) -> list[nn.Linear]:
    """Layers with a part of the outputs each, in order."""
    weights = linear.weight.chunk(parts)
    biases = [None] * parts if linear.bias is None else linear.bias.chunk(parts)
    return [linear_of(weight, bias) for weight, bias in zip(weights, biases, strict=True)]


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone())
    return linear
