"""fp32 graphs -> int8 ones: linear layers, the encoder's attention scores, cross-attention.

The two graphs are slow for different reasons. The encoder multiplies hundreds of rows by each
weight, so arithmetic counts: 8-bit activations, quantised at run time, times 8-bit columns. The
decoder multiplies one, so bytes count: blocks of 8-bit weights, each with a scale. It quantises
activations row by row too, so what a row gets never depends on the rest of its batch. What goes
from the one to the other, a picture's keys and values, is in 8 bits as well.
"""

import fnmatch
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from onnx.helper import make_node

from export.cross_attention import find_cross_attentions, quantise_cross_attentions
from export.errors import QuantisationError
from export.linears import CONTRIB, Floats, Linear, find_linears, rewrite, weight_of
from export.scores import CONSTANTS, Scores, find_scores, quantised
from server.captioning.model.directory import DECODER, ENCODER

MAX_BLOCK, MIN_BLOCK = 128, 16  # of MatMulNBits
ZERO_POINT = 128  # MatMulNBits' and GatherBlockQuantized's, unless told otherwise
INT8_ACTIVATIONS = 4  # an accuracy_level of MatMulNBits

Arrays = dict[str, NDArray[np.generic]]


def quantise(directory: Path, excluded: Collection[str] = ()) -> None:
    """Rewrite both graphs in place.

    `excluded` names layers to leave as they are: "encoder." or "decoder.", then the torch module's
    name, with * for anything; a vision layer's attention scores are its ".scores", what a decoder
    layer sees of the picture its ".cross_attention.key_values". Raises QuantisationError for a name
    that fits no layer.
    """
    encoder, decoder = (onnx.load(directory / file) for file in (ENCODER, DECODER))
    linears, scores = find_linears(encoder), find_scores(encoder)
    decoder_linears, attentions = find_linears(decoder), find_cross_attentions(decoder)
    names = [f"encoder.{each.name}" for each in linears]
    names += [f"encoder.{each.name}" for each in scores]
    names += [f"decoder.{each.name}" for each in attentions]
    names += [f"decoder.{each.name}" for each in decoder_linears]
    for pattern in excluded:
        if not fnmatch.filter(names, pattern):
            raise QuantisationError(
                f"--exclude {pattern} fits no layer; there are, for example, "
                f"{names[0]} and {names[-1]}."
            )

    def kept(name: str) -> bool:
        return not any(fnmatch.fnmatchcase(name, pattern) for pattern in excluded)

    quantise_encoder(
        encoder,
        [each for each in linears if kept(f"encoder.{each.name}")],
        [each for each in scores if kept(f"encoder.{each.name}")],
    )
    quantise_decoder(decoder, [each for each in decoder_linears if kept(f"decoder.{each.name}")])
    quantise_cross_attentions(
        encoder, decoder, [each for each in attentions if kept(f"decoder.{each.name}")]
    )
    onnx.save(encoder, directory / ENCODER)
    onnx.save(decoder, directory / DECODER)


def quantise_encoder(
    model: ModelProto, linears: Iterable[Linear], scores: Iterable[Scores]
) -> None:
    """Dynamic: activations are quantised, per tensor, when they are there."""
    replacements: dict[str, list[NodeProto]] = {}
    constants: Arrays = dict(CONSTANTS)
    for each in scores:
        replacements |= quantised(each)
    quantised_inputs: set[str] = set()
    for linear in linears:
        weight = linear.weight
        columns, scales = quantise_rows(weight_of(model, linear))
        constants |= {f"{weight}.int8": columns.T, f"{weight}.scale": scales}
        source = linear.input
        activations = [f"{source}.{part}" for part in ("uint8", "scale", "zero_point")]
        nodes = []
        if source not in quantised_inputs:
            quantised_inputs.add(source)
            nodes.append(make_node("DynamicQuantizeLinear", [source], activations))
        values, scale, zero_point = activations
        inputs = [values, f"{weight}.int8", scale, f"{weight}.scale", zero_point, "", linear.bias]
        nodes.append(_contrib_node("MatMulIntegerToFloat", inputs, linear))
        replacements |= _in_place_of(linear, nodes)
    rewrite(model, replacements, constants)


def quantise_decoder(model: ModelProto, linears: Iterable[Linear]) -> None:
    """Weights in blocks; the word embedding follows the layer that it is tied to."""
    replacements: dict[str, list[NodeProto]] = {}
    constants: Arrays = {}
    tables: set[str] = set()
    for linear in linears:
        weight = weight_of(model, linear)
        name, (outputs, inputs) = linear.weight, weight.shape
        size = block_size(inputs)
        blocks, scales = quantise_blocks(weight, size)
        constants |= {f"{name}.uint8": blocks, f"{name}.scale": scales}
        if inputs % size == 0:  # else a row of blocks is longer than a word's embedding
            tables.add(name)
        node = _contrib_node(
            "MatMulNBits",
            [linear.input, f"{name}.uint8", f"{name}.scale", "", "", linear.bias],
            linear,
            K=inputs,
            N=outputs,
            bits=8,
            block_size=size,
            accuracy_level=INT8_ACTIVATIONS,
        )
        replacements |= _in_place_of(linear, [node])
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in tables:
            replacements[node.output[0]] = _look_up(node, constants)
    rewrite(model, replacements, constants)


def quantise_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8 [outputs, inputs], and the scale f32 [outputs] to multiply each row by."""
    scales = _scales(weight)
    return np.rint(weight / scales[..., None]).astype(np.int8), scales


def quantise_blocks(weight: Floats, size: int) -> tuple[NDArray[np.uint8], Floats]:
    """uint8 [outputs, blocks, size] around ZERO_POINT, and scales f32 [outputs, blocks]."""
    outputs, inputs = weight.shape
    padded = np.pad(weight, [(0, 0), (0, -inputs % size)]).reshape(outputs, -1, size)
    scales = _scales(padded)
    return (np.rint(padded / scales[..., None]) + ZERO_POINT).astype(np.uint8), scales


def block_size(inputs: int) -> int:
    """The largest power of two that divides `inputs`, within what MatMulNBits takes."""
    return max(MIN_BLOCK, min(MAX_BLOCK, inputs & -inputs))


def _scales(weight: Floats) -> Floats:
    largest: Floats = np.abs(weight).max(axis=-1)
    # What is all zero stays so, by any scale.
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


def _contrib_node(kind: str, inputs: list[str], linear: Linear, **attributes: Any) -> NodeProto:
    return make_node(kind, inputs, [linear.output], linear.name, domain=CONTRIB, **attributes)


def _in_place_of(linear: Linear, nodes: list[NodeProto]) -> dict[str, list[NodeProto]]:
    """`nodes` take the place of the first: an input is quantised before all its readers."""
    first, *rest = linear.outputs
    return {first: nodes, **{output: [] for output in rest}}


def _look_up(gather: NodeProto, constants: Arrays) -> list[NodeProto]:
    """The rows of a table that lies there in blocks, once for both of its uses."""
    table = gather.input[0]
    blocks = constants[f"{table}.uint8"]
    constants[f"{table}.row_scale"] = constants[f"{table}.scale"][..., None]
    constants[f"{table}.shape"] = np.array([0, 0, -1])
    rows = f"{gather.output[0]}.blocks"
    return [
        make_node(
            "GatherBlockQuantized",
            [f"{table}.uint8", gather.input[1], f"{table}.row_scale"],
            [rows],
            gather.name,
            domain=CONTRIB,
            bits=8,
            block_size=blocks.shape[2],
            gather_axis=0,
            quantize_axis=2,
        ),
        make_node("Reshape", [rows, f"{table}.shape"], list(gather.output)),
    ]
