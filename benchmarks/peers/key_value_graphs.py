"""BLIP for OpenVINO: an encoder that projects the cross-attention keys and values once a picture.

The export's own graphs read the encoder's last hidden state in every step instead, which suits ONNX
Runtime. OpenVINO's int8 step takes 1.3 to 1.5 times as long with them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from transformers import BlipForConditionalGeneration
from transformers.models.blip.modeling_blip_text import BlipTextAttention

from export.checkpoint import load_checkpoint
from export.convert import TASK, Graph, export_graph
from export.graphs import IMAGE_EMBEDS, DecoderStep, PictureEncoder, decoder_layers
from export.layers import KeyValue, attend, scaled_query, split_heads
from export.onnx_configs import Axes, DecoderStepOnnxConfig, PictureEncoderOnnxConfig
from export.sources import find_source
from export.terminal.quiet import quiet
from server.captioning.model.directory import DECODER, ENCODER


class KeyValueEncoder(nn.Module):
    """The vision model, and a key and a value for each decoder layer."""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.config = model.config
        self.heads = model.config.text_config.num_attention_heads
        self.encoder = PictureEncoder(model)
        attentions = [layer.crossattention.self for layer in decoder_layers(model)]
        self.keys = nn.ModuleList(each.key for each in attentions)
        self.values = nn.ModuleList(each.value for each in attentions)

    def forward(self, pixel_values: Tensor) -> dict[str, list[KeyValue]]:
        """Encode f32 [batch, 3, height, width].

        Returns, per decoder layer, a key f32 [batch, heads, head_dim, tokens] and a value f32
        [batch, heads, tokens, head_dim].
        """
        hidden_states = self.encoder(pixel_values)[IMAGE_EMBEDS]
        pairs = zip(self.keys, self.values, strict=True)
        heads = [[split_heads(each(hidden_states), self.heads) for each in pair] for pair in pairs]
        return {IMAGE_EMBEDS: [(key.transpose(2, 3), value) for key, value in heads]}


def key_value_step(model: BlipForConditionalGeneration) -> DecoderStep:
    """Return a decoder step that takes KeyValueEncoder's pairs as its `image_embeds`."""
    step = DecoderStep(model)
    for index, (layer, original) in enumerate(zip(step.layers, decoder_layers(model), strict=True)):
        layer.cross_attention = KeyValueAttention(original.crossattention, index)
    return step


class KeyValueAttention(nn.Module):
    def __init__(self, attention: BlipTextAttention, index: int) -> None:
        super().__init__()
        self.index = index
        self.heads = attention.self.num_attention_heads
        self.query = scaled_query(attention)
        self.output = attention.output

    def forward(self, hidden_states: Tensor, key_values: Sequence[KeyValue]) -> Tensor:
        query = split_heads(self.query(hidden_states), self.heads)
        output: Tensor = self.output(attend(query, *key_values[self.index]), hidden_states)
        return output


class KeyValueEncoderConfig(PictureEncoderOnnxConfig):
    @property
    def outputs(self) -> dict[str, Axes]:
        return self.key_value_axes(IMAGE_EMBEDS, {0: "batch"})


class KeyValueStepConfig(DecoderStepOnnxConfig):
    @property
    def inputs(self) -> dict[str, Axes]:
        inputs = super().inputs
        del inputs[IMAGE_EMBEDS]
        return {**inputs, **self.key_value_axes(IMAGE_EMBEDS, {0: "image_batch"})}

    def random_inputs(self, rng: np.random.Generator, shapes: Mapping[str, int]) -> dict[str, Any]:
        inputs = super().random_inputs(rng, shapes)
        images, tokens, _ = inputs.pop(IMAGE_EMBEDS).shape
        pairs = self.random_key_values(rng, images, tokens)
        inputs[IMAGE_EMBEDS] = [(key.swapaxes(2, 3).copy(), value) for key, value in pairs]
        return inputs


def graphs_of(model: BlipForConditionalGeneration) -> tuple[Graph, Graph]:
    """Return the encoder's graph and the decoder's."""
    encoder = KeyValueEncoderConfig(model.config, task=TASK)
    decoder = KeyValueStepConfig(model.config, task=TASK)
    sizes = ({"batch": 2, "sequence": 1, "past": 5},)
    return (
        Graph(ENCODER, KeyValueEncoder(model), encoder, ({"batch": 1},)),
        Graph(DECODER, key_value_step(model), decoder, sizes),
    )


def export_key_value_graphs(checkpoint: Path, output: Path) -> None:
    """Write both graphs to a directory."""
    with quiet():
        model = load_checkpoint(find_source(str(checkpoint), None)).model
        for graph in graphs_of(model):
            export_graph(model, graph, output)
