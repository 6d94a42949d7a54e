"""Which layers lose most by int8: each quantised alone, in torch, and the logits compared.

A simulation of what export.quantise does, without a graph written and loaded for every layer.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from export.checkpoint import Checkpoint
from export.graphs import DecoderStep, PictureEncoder
from export.layers import CrossAttention, KeyValue, VisionLayer, merge_heads, split_heads
from export.linears import Floats
from export.quantise import ZERO_POINT, block_size, quantise_blocks, quantise_rows
from export.verification.parity import Case, TokenIds

PICTURE = (1, 2, 3)  # axes of a key or value

Change = Callable[[Tensor], Tensor]
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """`layer` as --exclude takes it; `error` is the mean absolute one, in logits."""

    layer: str
    error: float


class Captioning(nn.Module):
    """Both graphs in torch, so that their linear layers have names to tell them apart."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.encoder = PictureEncoder(checkpoint.model)
        self.decoder = DecoderStep(checkpoint.model)
        text = checkpoint.text_config
        self.empty = torch.empty(
            1, text.num_attention_heads, 0, text.hidden_size // text.num_attention_heads
        )

    def forward(self, pixel_values: Tensor, caption: TokenIds) -> Tensor:
        """Logits f32 [1, vocab] of the caption's last token."""
        ids = torch.tensor([caption[:-1]])
        past = [(self.empty, self.empty)] * len(self.decoder.layers)
        cross = self.encoder(pixel_values)["cross_key_values"]
        places = torch.arange(ids.shape[1])[None]
        logits: Tensor = self.decoder(ids, places, torch.ones_like(ids), past, cross)["logits"]
        return logits


def modules(model: nn.Module, kind: type[Module]) -> dict[str, Module]:
    return {name: each for name, each in model.named_modules() if isinstance(each, kind)}


@torch.inference_mode()
def layer_sensitivities(
    checkpoint: Checkpoint, cases: Sequence[Case], captions: Sequence[TokenIds]
) -> Iterator[Sensitivity]:
    """One for each linear layer of both graphs, and for each attention that int8 rewrites."""
    model = Captioning(checkpoint)
    pictures = [
        checkpoint.image_processor(case.picture.decode(), return_tensors="pt").pixel_values
        for case in cases
    ]

    def logits() -> Tensor:
        return torch.cat([model(*each) for each in zip(pictures, captions, strict=True)])

    expected = logits()
    for name, linear in modules(model, nn.Linear).items():
        with quantised(linear, *CHANGES[name.partition(".")[0]]):
            yield Sensitivity(name, float((logits() - expected).abs().mean()))
    for name, layer in modules(model, VisionLayer).items():
        with quantised_scores(layer):
            yield Sensitivity(f"{name}.scores", float((logits() - expected).abs().mean()))
    for name, attention in modules(model, CrossAttention).items():
        with quantised_key_values(attention):
            yield Sensitivity(f"{name}.key_values", float((logits() - expected).abs().mean()))


@contextmanager
def quantised(linear: nn.Linear, weights: Change, activations: Change) -> Iterator[None]:
    """Within the block `linear` computes with weights and activations rounded to 8 bits."""
    exact = linear.weight
    linear.weight = nn.Parameter(weights(exact), requires_grad=False)
    hook = linear.register_forward_pre_hook(lambda _, inputs: (activations(inputs[0]),))
    try:
        yield
    finally:
        hook.remove()
        linear.weight = exact


@contextmanager
def quantised_scores(layer: VisionLayer) -> Iterator[None]:
    """Within the block `layer` multiplies a query and a key that are rounded to 8 bits."""
    hooks = [
        linear.register_forward_hook(lambda _, __, output, change=change: change(output))
        for linear, change in ((layer.query, through_tensor), (layer.key, through_symmetric))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def quantised_key_values(attention: CrossAttention) -> Iterator[None]:
    """Within the block `attention` sees a picture in 8 bits, by queries and probabilities in 8."""

    def in_int8(_: nn.Module, inputs: tuple[Tensor, KeyValue], __: Tensor) -> Tensor:
        hidden_states, cross = inputs
        query = split_heads(attention.query(hidden_states), attention.heads)
        output: Tensor = attention.output(merge_heads(attend_in_int8(query, *cross)), hidden_states)
        return output

    hook = attention.register_forward_hook(in_int8)
    try:
        yield
    finally:
        hook.remove()


def attend_in_int8(query: Tensor, transposed_key: Tensor, value: Tensor) -> Tensor:
    """What export.cross_attention makes of `attend`; f32 [batch, heads, sequence, head_dim]."""
    key = transposed_key - transposed_key.mean(dim=3, keepdim=True)
    mean = value.mean(dim=2, keepdim=True)
    probabilities = (through_row(query) @ through_symmetric(key, PICTURE)).softmax(dim=-1)
    rounded = through_row(probabilities, levels=255)
    return rounded @ through_symmetric(value - mean, PICTURE) + mean


def through_rows(weight: Tensor) -> Tensor:
    rows, scales = quantise_rows(weight.numpy())
    return torch.from_numpy(rows * scales[:, None])


def through_blocks(states: Tensor) -> Tensor:
    inputs = states.shape[-1]
    rows: Floats = states.reshape(-1, inputs).numpy()
    blocks, scales = quantise_blocks(rows, block_size(inputs))
    values = (blocks.astype(np.float32) - ZERO_POINT) * scales[..., None]
    return torch.from_numpy(values.reshape(len(rows), -1)[:, :inputs]).view_as(states)


def through_tensor(states: Tensor) -> Tensor:
    """DynamicQuantizeLinear's 256 levels, zero among them."""
    scale = (states.max().clamp(min=0) - states.min().clamp(max=0)) / 255
    return (states / scale).round() * scale


def through_symmetric(states: Tensor, axes: tuple[int, ...] = ()) -> Tensor:
    """255 levels, as many below zero as above, for what lies along `axes`, or all of it."""
    return through_levels(states, 127, axes)


def through_row(states: Tensor, levels: int = 127) -> Tensor:
    """As many levels, and as many below zero, for every row of its own."""
    return through_levels(states, levels, (-1,))


def through_levels(states: Tensor, levels: int, axes: tuple[int, ...]) -> Tensor:
    largest = states.abs().amax(dim=axes, keepdim=True)
    # What is all zero stays so, by any scale.
    scale = torch.where(largest > 0, largest / levels, 1)
    return (states / scale).round() * scale


#: Of weights and activations, as export.quantise treats either graph.
CHANGES: dict[str, tuple[Change, Change]] = {
    "encoder": (through_rows, through_tensor),
    "decoder": (through_blocks, through_blocks),
}
