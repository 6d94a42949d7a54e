"""Find the layers that lose most by int8: quantise each alone, in torch, and compare the logits.

This simulates what export.int8 does, and spares writing and loading a graph for every layer.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from export.checkpoint import Checkpoint
from export.graphs import IMAGE_EMBEDS, DecoderStep, PictureEncoder
from export.int8.cross_attention import SIGNED, UNSIGNED
from export.int8.quantise import IMAGE_NAME
from export.int8.weights import ZERO_POINT, Floats, block_size, quantise_blocks, quantise_rows
from export.layers import HeadLinear, ImageAttention, VisionLayer
from export.verification.parity import Case, TokenIds

Change = Callable[[Tensor], Tensor]
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The mean absolute error in logits that int8 causes in a layer, named as for --keep-fp32."""

    layer: str
    error: float


class Captioning(nn.Module):
    """Both graphs in torch, so that their layers have different names."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.encoder = PictureEncoder(checkpoint.model)
        self.decoder = DecoderStep(checkpoint.model)
        text = checkpoint.text_config
        self.empty = torch.empty(
            1, text.num_attention_heads, 0, text.hidden_size // text.num_attention_heads
        )

    def forward(self, pixel_values: Tensor, caption: TokenIds) -> Tensor:
        """Compute the logits f32 [1, vocab] of the caption's last token."""
        ids = torch.tensor([caption[:-1]])
        past = [(self.empty, self.empty)] * len(self.decoder.layers)
        image = self.encoder(pixel_values)[IMAGE_EMBEDS]
        places = torch.arange(ids.shape[1])[None]
        logits: Tensor = self.decoder(ids, places, torch.ones_like(ids), past, image)["logits"]
        return logits


def modules(model: nn.Module, kind: type[Module]) -> dict[str, Module]:
    return {name: each for name, each in model.named_modules() if isinstance(each, kind)}


@torch.inference_mode()
def layer_sensitivities(
    checkpoint: Checkpoint, cases: Sequence[Case], captions: Sequence[TokenIds]
) -> Iterator[Sensitivity]:
    """Yield one for each name that --keep-fp32 takes."""
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
    for name, heads in modules(model, HeadLinear).items():
        with quantised(heads, fake_quantise_columns, fake_quantise_row):
            yield Sensitivity(name, float((logits() - expected).abs().mean()))
    for name, layer in modules(model, VisionLayer).items():
        with quantised_scores(layer):
            yield Sensitivity(f"{name}.scores", float((logits() - expected).abs().mean()))
    with quantised_image(modules(model, ImageAttention).values()):
        yield Sensitivity(IMAGE_NAME, float((logits() - expected).abs().mean()))


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
