"""Simulate in torch what export.int8 does to a layer, without writing and loading a graph."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from export.int8.cross_attention import SIGNED, UNSIGNED
from export.int8.weights import ZERO_POINT, Floats, block_size, quantise_blocks, quantise_rows
from export.layers import HeadLinear, ImageAttention, VisionLayer

Change = Callable[[Tensor], Tensor]


@contextmanager
def quantised(
    linear: nn.Linear | HeadLinear, weights: Change, activations: Change
) -> Iterator[None]:
    """Compute with weights and activations rounded to 8 bits within the block."""
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
    """Multiply a query and a key that are rounded to 8 bits within the block."""
    hooks = [
        linear.register_forward_hook(lambda _, __, output, change=change: change(output))
        for linear, change in (
            (layer.query, fake_quantise_tensor),
            (layer.key, fake_quantise_symmetrically),
        )
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def quantised_image(attentions: Iterable[ImageAttention]) -> Iterator[None]:
    """Let the decoder see the encoder's last hidden state in 8 bits within the block."""
    hooks = [
        each.register_forward_hook(lambda _, inputs, __: attend_in_int8(*inputs))
        for each in attentions
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def attend_in_int8(rows: Tensor, image_embeds: Tensor) -> Tensor:
    """Compute what export.int8.cross_attention makes of ImageAttention."""
    mean = image_embeds.mean(dim=1, keepdim=True)
    scale = scale_of(image_embeds - mean, SIGNED, 1)
    image = ((image_embeds - mean) / scale).round()
    scores = fake_quantise_row(rows * scale) @ image.transpose(1, 2)
    probabilities = fake_quantise(scores.softmax(dim=-1), UNSIGNED, -1)
    return probabilities @ image * scale + mean


def fake_quantise_rows(weight: Tensor) -> Tensor:
    """Round f32 [..., inputs] to 8 bits, by a scale for each row."""
    rows, scales = quantise_rows(weight.numpy())
    return torch.from_numpy(rows * scales[..., None])


def fake_quantise_columns(weight: Tensor) -> Tensor:
    """Round f32 [..., inputs, outputs] to 8 bits, by a scale for each column."""
    return fake_quantise_rows(weight.transpose(-1, -2)).transpose(-1, -2)


def fake_quantise_blocks(states: Tensor) -> Tensor:
    """Round f32 [..., inputs] to 8 bits, by a scale for each block of inputs."""
    inputs = states.shape[-1]
    rows: Floats = states.reshape(-1, inputs).numpy()
    blocks, scales = quantise_blocks(rows, block_size(inputs))
    values = (blocks.astype(np.float32) - ZERO_POINT) * scales[..., None]
    return torch.from_numpy(values.reshape(len(rows), -1)[:, :inputs]).view_as(states)


def fake_quantise_tensor(states: Tensor) -> Tensor:
    """Round to DynamicQuantizeLinear's 256 levels, one of which is zero."""
    scale = (states.max().clamp(min=0) - states.min().clamp(max=0)) / 255
    return (states / scale).round() * scale


def fake_quantise_symmetrically(states: Tensor) -> Tensor:
    """Round to 255 levels, as many below zero as above, by one scale."""
    return fake_quantise(states, SIGNED, tuple(range(states.dim())))


def fake_quantise_row(states: Tensor) -> Tensor:
    """Round to 255 levels, as many below zero as above, by a scale for each row."""
    return fake_quantise(states, SIGNED, -1)


def fake_quantise(states: Tensor, levels: int, axes: int | tuple[int, ...]) -> Tensor:
    """Round to multiples of a scale for all that is along `axes`: its largest gets `levels`."""
    scale = scale_of(states, levels, axes)
    return (states / scale).round() * scale


def scale_of(states: Tensor, levels: int, axes: int | tuple[int, ...]) -> Tensor:
    largest = states.abs().amax(dim=axes, keepdim=True)
    # Zeros stay zero by any scale.
    return torch.where(largest > 0, largest / levels, 1)


#: Of weights and activations, as export.int8.linears treats either graph.
CHANGES: dict[str, tuple[Change, Change]] = {
    "encoder": (fake_quantise_rows, fake_quantise_tensor),
    "decoder": (fake_quantise_blocks, fake_quantise_blocks),
}
