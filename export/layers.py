"""BLIP's transformer layers, arranged for inference: the same numbers from fewer, larger products.

One linear layer computes query, key and value in the decoder's self-attention. The query's scale is
part of its weights. Scaling the scores instead makes a decoder step about a fifth slower: ONNX
Runtime fuses the scale into the matrix product, which then leaves the kernel made for one row.

Cross-attention reads the encoder's last hidden state X and projects no keys and values from it. Per
head, the scores are X (W_K^T q): the key's bias raises all scores of a query alike, which the
softmax cancels. The context is (p X) W_V + b_V, as the probabilities p sum to 1.
"""

import torch
from torch import Tensor, nn
from transformers.models.blip.modeling_blip import BlipEncoderLayer
from transformers.models.blip.modeling_blip_text import BlipTextAttention, BlipTextLayer

from export.linear_layers import divided, packed, parameter, scaled, shifted

KeyValue = tuple[Tensor, Tensor]

#: Columns of a HeadLinear's weight that are stored together.
STRIPE = 128


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
        self, hidden_states: Tensor, mask: Tensor, past: KeyValue, image_embeds: Tensor
    ) -> tuple[Tensor, KeyValue]:
        """Compute the layer's output f32 [batch, sequence, hidden], and its keys and values."""
        hidden_states, key_value = self.attention(hidden_states, mask, past)
        hidden_states = self.cross_attention(hidden_states, image_embeds)
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
    """BlipTextAttention over a picture, of which the projections work on the text's side.

    `key` takes queries to the picture's hidden units, `value` takes contexts from there to the
    text's. The bias of `dense` contains the value's.
    """

    def __init__(self, attention: BlipTextAttention) -> None:
        super().__init__()
        own = attention.self
        self.heads, self.head_dim = own.num_attention_heads, own.attention_head_size
        # [heads, head_dim, width] both
        key, value = (
            each.weight.unflatten(0, (self.heads, self.head_dim)) for each in (own.key, own.value)
        )
        self.query = scaled_query(attention)
        self.key = HeadLinear(key)
        self.attend = ImageAttention()
        self.value = HeadLinear(value.transpose(1, 2))
        self.dense = shifted(attention.output.dense, own.value.bias)
        self.norm = attention.output.LayerNorm

    def forward(self, hidden_states: Tensor, image_embeds: Tensor) -> Tensor:
        """Attend to a picture.

        Args:
            hidden_states: f32 [batch, sequence, hidden]
            image_embeds: f32 [batch or 1, tokens, width]

        Returns:
            f32 [batch, sequence, hidden]
        """
        width = image_embeds.shape[2]
        query = self.query(hidden_states).reshape(-1, self.heads, 1, 1, self.head_dim)
        # All rows that look at one picture form one matrix, so that beams read the picture once.
        rows = self.key(query).reshape(image_embeds.shape[0], -1, width)
        context = self.attend(rows, image_embeds).reshape(-1, self.heads, 1, 1, width)
        states = self.value(context).reshape_as(hidden_states)
        output: Tensor = self.norm(self.dense(states) + hidden_states)
        return output


class HeadLinear(nn.Module):
    """A linear layer for each head, without bias, for one row at a time.

    `weight` is f32 [heads, stripes, inputs, columns]: the outputs are divided into stripes of
    columns. ONNX Runtime's kernel for one row reads a matrix stripe by stripe, and takes twice as
    long where the rows of a stripe lie far apart in memory.
    """

    def __init__(self, weight: Tensor) -> None:
        """`weight` is f32 [heads, inputs, outputs]."""
        super().__init__()
        columns = STRIPE if weight.shape[2] % STRIPE == 0 else weight.shape[2]
        self.weight = parameter(weight.unflatten(2, (-1, columns)).transpose(1, 2))

    def forward(self, rows: Tensor) -> Tensor:
        """Map f32 [rows, heads, 1, 1, inputs] to f32 [rows, heads, stripes, 1, columns]."""
        return rows @ self.weight


class ImageAttention(nn.Module):
    """Attention whose keys and values are both the encoder's last hidden state."""

    def forward(self, rows: Tensor, image_embeds: Tensor) -> Tensor:
        """Compute contexts f32 [images, rows, width] of queries of the same shape.

        `image_embeds` is f32 [images, tokens, width].
        """
        scores = rows @ image_embeds.transpose(1, 2)
        return scores.softmax(dim=-1) @ image_embeds


def attend(
    query: Tensor, transposed_key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Attend with a query that is scaled already.

    Args:
        query: f32 [batch, heads, sequence, head_dim]
        transposed_key: f32 [batch, heads, head_dim, positions]
        value: f32 [batch, heads, positions, head_dim]
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
