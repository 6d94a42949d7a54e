"""What Optimum has to know of each graph: names, dynamic axes, tolerance, inputs to try it with."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from optimum.exporters.onnx.base import OnnxConfig  # type: ignore[import-untyped]
from optimum.utils import NormalizedConfig  # type: ignore[import-untyped]
from torch.utils._pytree import tree_map

from export.graphs import IMAGE_EMBEDS, image_embeds_shape
from export.onnx_format import GRAPH_TOLERANCE, OPSET

Axes = dict[int, str]


class BlipOnnxConfig(OnnxConfig):  # type: ignore[misc]
    """What both graphs have in common: tolerance, and inputs that a seed gives."""

    NORMALIZED_CONFIG_CLASS = NormalizedConfig
    DEFAULT_ONNX_OPSET = OPSET
    ATOL_FOR_VALIDATION = GRAPH_TOLERANCE

    @classmethod
    def flatten_output_collection_property(cls, name: str, field: Iterable[Any]) -> dict[str, Any]:
        """[(key, value), ...] -> {"name.0.key": key, "name.0.value": value, ...}"""
        return {
            f"{name}.{layer}.{kind}": tensor
            for layer, pair in enumerate(field)
            for kind, tensor in zip(("key", "value"), pair, strict=True)
        }

    def generate_dummy_inputs(self, framework: str = "pt", **shapes: int) -> dict[str, Any]:
        """Seeded random inputs of the forward pass, as tensors ("pt") or arrays ("np")."""
        inputs = self.random_inputs(np.random.default_rng(0), shapes)
        return inputs if framework == "np" else tree_map(torch.from_numpy, inputs)

    def random_inputs(self, rng: np.random.Generator, shapes: Mapping[str, int]) -> dict[str, Any]:
        """The forward pass's arguments as arrays; `shapes` may set the size of dynamic axes."""
        raise NotImplementedError

    def key_value_axes(self, name: str, axes: Axes) -> dict[str, Axes]:
        layers = self._config.text_config.num_hidden_layers
        return self.flatten_output_collection_property(name, [(axes, axes)] * layers)

    def random_key_values(
        self, rng: np.random.Generator, batch: int, positions: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        text = self._config.text_config
        heads = text.num_attention_heads
        shape = (batch, heads, positions, text.hidden_size // heads)
        return [
            (random_floats(rng, shape), random_floats(rng, shape))
            for _ in range(text.num_hidden_layers)
        ]


class PictureEncoderOnnxConfig(BlipOnnxConfig):
    @property
    def inputs(self) -> dict[str, Axes]:
        return {"pixel_values": {0: "batch"}}

    @property
    def outputs(self) -> dict[str, Axes]:
        return {IMAGE_EMBEDS: {0: "batch"}}

    def random_inputs(self, rng: np.random.Generator, shapes: Mapping[str, int]) -> dict[str, Any]:
        side = self._config.vision_config.image_size
        return {"pixel_values": random_floats(rng, (shapes.get("batch", 2), 3, side, side))}


class DecoderStepOnnxConfig(BlipOnnxConfig):
    @property
    def inputs(self) -> dict[str, Axes]:
        return {
            "input_ids": {0: "batch", 1: "sequence"},
            "position_ids": {0: "batch", 1: "sequence"},
            "attention_mask": {0: "batch", 1: "past + sequence"},
            **self.key_value_axes("past_key_values", {0: "batch", 2: "past"}),
            IMAGE_EMBEDS: {0: "image_batch"},
        }

    @property
    def outputs(self) -> dict[str, Axes]:
        return {
            "logits": {0: "batch"},
            **self.key_value_axes("present", {0: "batch", 2: "past + sequence"}),
        }

    def random_inputs(self, rng: np.random.Generator, shapes: Mapping[str, int]) -> dict[str, Any]:
        # Sizes that differ, and none of them 1, for a tracer that would take 1 for a constant.
        batch = shapes.get("batch", 2)
        sequence = shapes.get("sequence", 3)
        past = shapes.get("past", 4)
        image_batch = shapes.get("image_batch", batch)
        tokens, width = image_embeds_shape(self._config)
        vocabulary = self._config.text_config.vocab_size
        return {
            "input_ids": rng.integers(vocabulary, size=(batch, sequence)),
            "position_ids": np.tile(np.arange(past, past + sequence), (batch, 1)),
            "attention_mask": left_padded(batch, past + sequence),
            "past_key_values": self.random_key_values(rng, batch, past),
            IMAGE_EMBEDS: random_floats(rng, (image_batch, tokens, width)),
        }


def random_floats(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def left_padded(batch: int, positions: int) -> np.ndarray:
    """i64 [batch, positions], as if each row were a token shorter than the one before it."""
    mask: np.ndarray = np.arange(positions) >= np.arange(batch)[:, None]
    return mask.astype(np.int64)
