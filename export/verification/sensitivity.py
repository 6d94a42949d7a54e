"""Find the layers that lose most by int8: quantise each alone, in torch, and compare the logits.

A layer's error is measured along a few captions of different pictures, after each of their tokens.
The layers before it are not computed again, because their results do not change: a picture is
encoded once for all layers of the decoder.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from export.checkpoint import Checkpoint
from export.graphs import DecoderStep, PictureEncoder, causal_mask
from export.int8.quantise import IMAGE_NAME
from export.layers import HeadLinear, ImageAttention, VisionLayer
from export.verification.parity import Case, TokenIds
from export.verification.simulated_int8 import (
    CHANGES,
    fake_quantise_columns,
    fake_quantise_row,
    quantised,
    quantised_image,
    quantised_scores,
)

#: Captions along which logits are compared, each of another picture.
CAPTIONS = 3

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The mean absolute error in logits that int8 causes in a layer, named as for --keep-fp32."""

    layer: str
    error: float


@dataclass(frozen=True, slots=True)
class Trace:
    """The exact states of one caption: before each layer, and those of the whole models.

    Attributes:
        vision: f32 [1, tokens, width] before each vision layer
        image_embeds: the encoder's last hidden state, f32 [1, tokens, width]
        text: f32 [1, positions, hidden] before each decoder layer, and after the last
        logits: f32 [positions, vocab]
    """

    vision: Sequence[Tensor]
    image_embeds: Tensor
    text: Sequence[Tensor]
    logits: Tensor


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

    def trace(self, pixel_values: Tensor, caption: TokenIds) -> Trace:
        """Compute all states of a caption. `pixel_values` is f32 [1, 3, height, width]."""
        *vision, image = self.encode(self.encoder.embeddings(pixel_values))
        ids = torch.tensor([caption[:-1]])
        places = torch.arange(ids.shape[1])[None]
        text = list(self.decode(self.decoder.embeddings(ids, position_ids=places), image))
        return Trace(vision, image, text, self.decoder.head(text[-1][0]))

    def encode(self, states: Tensor, first: int = 0) -> Iterator[Tensor]:
        """Yield the states before each vision layer from `first` on, then image_embeds."""
        for layer in self.encoder.layers[first:]:
            yield states
            states = layer(states)
        yield self.encoder.norm(states)

    def decode(self, states: Tensor, image: Tensor, first: int = 0) -> Iterator[Tensor]:
        """Yield the states before each decoder layer from `first` on, then those after the last."""
        length = states.shape[1]
        mask = causal_mask(torch.ones(1, length, dtype=torch.int64), length)
        for layer in self.decoder.layers[first:]:
            yield states
            states, _ = layer(states, mask, (self.empty, self.empty), image)
        yield states

    def logits_again(self, trace: Trace, graph: str, first: int) -> Tensor:
        """Compute the logits of `trace` again, from layer `first` of "encoder" or "decoder" on."""
        image, text, start = trace.image_embeds, trace.text, first
        if graph == "encoder":
            *_, image = self.encode(trace.vision[first], first)
            start = 0
        *_, states = self.decode(text[start], image, start)
        logits: Tensor = self.decoder.head(states[0])
        return logits


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that --keep-fp32 can name.

    `simulate` computes it in int8 within a block. Before layer `first` of `graph` nothing changes.
    """

    name: str
    graph: str
    first: int
    simulate: Callable[[], AbstractContextManager[None]]


class SensitivityPass:
    """Measure each name that --keep-fp32 takes. Iterate over it once for the result."""

    def __init__(
        self, checkpoint: Checkpoint, cases: Sequence[Case], captions: Sequence[TokenIds]
    ) -> None:
        self._processor = checkpoint.image_processor
        self._captions = spread(cases, captions)
        self.model = Captioning(checkpoint)
        self._layers = list(_layers(self.model))

    def __len__(self) -> int:
        return len(self._layers)

    @torch.inference_mode()
    def __iter__(self) -> Iterator[Sensitivity]:
        traces = [
            self.model.trace(
                self._processor(case.picture.decode(), return_tensors="pt").pixel_values, caption
            )
            for case, caption in self._captions
        ]
        for layer in self._layers:
            with layer.simulate():
                errors = [self._error(layer, trace) for trace in traces]
            yield Sensitivity(layer.name, sum(errors) / len(errors))

    def _error(self, layer: Layer, trace: Trace) -> float:
        found = self.model.logits_again(trace, layer.graph, layer.first)
        return float((found - trace.logits).abs().mean())


def spread(
    cases: Sequence[Case], captions: Sequence[TokenIds], count: int = CAPTIONS
) -> list[tuple[Case, TokenIds]]:
    """Return at most `count` cases of different pictures, evenly spread, with their captions."""
    firsts: dict[str, tuple[Case, TokenIds]] = {}
    for case, caption in zip(cases, captions, strict=True):
        firsts.setdefault(case.picture.name, (case, caption))
    count = min(count, len(firsts))
    return [list(firsts.values())[index * len(firsts) // count] for index in range(count)]


def modules(model: nn.Module, kind: type[Module]) -> dict[str, Module]:
    return {name: each for name, each in model.named_modules() if isinstance(each, kind)}


def _layers(model: Captioning) -> Iterator[Layer]:
    depth = len(model.decoder.layers)
    for name, linear in modules(model, nn.Linear).items():
        graph, first = _place(name, depth)
        yield Layer(name, graph, first, partial(quantised, linear, *CHANGES[graph]))
    for name, heads in modules(model, HeadLinear).items():
        change = partial(quantised, heads, fake_quantise_columns, fake_quantise_row)
        yield Layer(name, *_place(name, depth), change)
    for name, layer in modules(model, VisionLayer).items():
        scores = f"{name}.scores"
        yield Layer(scores, *_place(scores, depth), partial(quantised_scores, layer))
    attentions = list(modules(model, ImageAttention).values())
    # The decoder reads the picture, so the encoder computes nothing else.
    yield Layer(IMAGE_NAME, "decoder", 0, partial(quantised_image, attentions))


def _place(name: str, depth: int) -> tuple[str, int]:
    """Return the graph of a layer and its number. The word head comes after all `depth` layers."""
    graph, kind, number, *_ = name.split(".")
    return graph, int(number) if kind == "layers" else depth
