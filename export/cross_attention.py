"""Cross-attention in 8 bits: a picture's keys and values, in memory and read for every token.

A channel is one of head_dim, of one head and one picture: it has a scale of its own. Values are
held around their mean, which comes back by addition, as probabilities sum to 1: so what is lost
with those too small for 8 bits is noise without a direction. Queries and probabilities are
quantised row by row, so what a row gets never depends on the rest of its batch.

Rows get unsigned bytes, keys and values signed ones, and the product no zero point: for a single
row ONNX Runtime then reads its matrix once, as it lies, instead of packing a copy of it first.
"""

from collections.abc import Iterable, MutableSequence, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import make_node, make_tensor_value_info

from export.linears import rewrite

Entries = MutableSequence[ValueInfoProto]

ONE, SIGNED_STEP, UNSIGNED_STEP = "cross.one", "cross.signed_step", "cross.unsigned_step"
SIGNED, UNSIGNED, QUERY = "cross.signed_zero", "cross.unsigned_zero", "cross.query_zero"
TOKENS, LAST = "cross.tokens", "cross.last"
QUERY_ZERO_POINT = 128
CONSTANTS: dict[str, NDArray[np.generic]] = {
    ONE: np.array(1, np.float32),
    SIGNED_STEP: np.array(1 / 127, np.float32),
    UNSIGNED_STEP: np.array(1 / 255, np.float32),
    SIGNED: np.array(0, np.int8),
    UNSIGNED: np.array(0, np.uint8),
    QUERY: np.array(QUERY_ZERO_POINT, np.uint8),
    TOKENS: np.array([1]),
    LAST: np.array([-1]),
}


@dataclass(frozen=True, slots=True)
class CrossProducts:
    """The products of one decoder layer with the key and the value that the encoder puts out.

    `name` is that of the torch module that multiplies them, with ".key_values".
    """

    name: str
    key: str
    value: str
    scores: NodeProto
    context: NodeProto


def find_cross_attentions(decoder: ModelProto) -> list[CrossProducts]:
    """Those whose key and value are still in fp32."""
    reader = {node.input[1]: node for node in decoder.graph.node if node.op_type == "MatMul"}
    keys = [each.name for each in decoder.graph.input if each.name in reader]
    attentions = []
    for key, value in zip(keys[::2], keys[1::2], strict=True):
        module = reader[key].name.rpartition("/")[0].strip("/").replace("/", ".")
        name = f"{module}.key_values"
        attentions.append(CrossProducts(name, key, value, reader[key], reader[value]))
    return attentions


def quantise_cross_attentions(
    encoder: ModelProto, decoder: ModelProto, attentions: Iterable[CrossProducts]
) -> None:
    """Rewrite both graphs: what leaves the one and enters the other changes alike."""
    stored: dict[str, list[NodeProto]] = {}
    read: dict[str, list[NodeProto]] = {}
    transposition = {node.output[0]: node for node in encoder.graph.node}
    constants = dict(CONSTANTS)
    for each in attentions:
        key, value = each.key, each.value
        heads, head_dim, tokens = _sizes(encoder, key)
        zero_points = f"cross.zero_points.{head_dim}"
        constants[zero_points] = np.full((1, head_dim), QUERY_ZERO_POINT, np.uint8)
        stored[key] = [
            *_channels(transposition[key], transposition[key].input[0], key),
            make_node("MatMulInteger", [zero_points, key], [f"{key}_sum"]),
        ]
        stored[value] = _centred_channels(transposition[value], value)
        read[each.scores.output[0]] = _scores(each)
        read[each.context.output[0]] = _context(each)
        for entries in (encoder.graph.output, decoder.graph.input):
            _declare(entries, each, [heads, 1, head_dim], [heads, 1, tokens])
    rewrite(encoder, stored, constants)
    rewrite(decoder, read, constants)


def _declare(
    entries: Entries, attention: CrossProducts, channel: list[int], token: list[int]
) -> None:
    """Key and value as int8, and what comes with them."""
    for name in (attention.key, attention.value):
        (entry,) = (each for each in entries if each.name == name)
        entry.type.tensor_type.elem_type = TensorProto.INT8
    batch = entry.type.tensor_type.shape.dim[0].dim_param
    for name, kind, shape in (
        (f"{attention.key}_scale", TensorProto.FLOAT, channel),
        (f"{attention.key}_sum", TensorProto.INT32, token),
        (f"{attention.value}_scale", TensorProto.FLOAT, channel),
        (f"{attention.value}_mean", TensorProto.FLOAT, channel),
    ):
        entries.append(make_tensor_value_info(name, kind, [batch, *shape]))


def _channels(transposition: NodeProto, source: str, name: str) -> list[NodeProto]:
    """`name` int8 from `source` f32 [batch, tokens, heads, head_dim], and `name`_scale."""
    sizes, largest, units, step = (f"{name}.{part}" for part in ("abs", "max", "units", "step"))
    moved = NodeProto()
    moved.CopyFrom(transposition)
    moved.input[:] = [f"{name}.int8"]
    return [
        make_node("Abs", [source], [sizes]),
        make_node("ReduceMax", [sizes, TOKENS], [largest]),
        make_node("Mul", [largest, SIGNED_STEP], [step]),
        make_node("Div", [source, step], [units]),
        make_node("QuantizeLinear", [units, ONE, SIGNED], [f"{name}.int8"]),
        moved,
        _by_head(step, f"{name}_scale"),
    ]


def _centred_channels(transposition: NodeProto, name: str) -> list[NodeProto]:
    source, mean, centred = transposition.input[0], f"{name}.mean", f"{name}.centred"
    return [
        make_node("ReduceMean", [source, TOKENS], [mean]),
        make_node("Sub", [source, mean], [centred]),
        *_channels(transposition, centred, name),
        _by_head(mean, f"{name}_mean"),
    ]


def _by_head(source: str, name: str) -> NodeProto:
    """[batch, 1, heads, head_dim] -> [batch, heads, 1, head_dim]"""
    return make_node("Transpose", [source], [name], perm=[0, 2, 1, 3])


def _scores(attention: CrossProducts) -> list[NodeProto]:
    """Query times key: the query's zero point is taken off with the sum of the key's channels."""
    query, key = attention.scores.input
    (scores,) = attention.scores.output
    scaled, sizes, off = (f"{scores}.{part}" for part in ("scaled", "abs", "off"))
    return [
        make_node("Mul", [query, f"{key}_scale"], [scaled]),
        make_node("Abs", [scaled], [sizes]),
        *_rows(scaled, sizes, scores, SIGNED_STEP, QUERY),
        make_node("MatMulInteger", [f"{scores}.uint8", key], [off], attention.scores.name),
        make_node("Sub", [off, f"{key}_sum"], [f"{scores}.int32"]),
        make_node("Cast", [f"{scores}.int32"], [f"{scores}.float"], to=TensorProto.FLOAT),
        make_node("Mul", [f"{scores}.float", f"{scores}.scale"], [scores]),
    ]


def _context(attention: CrossProducts) -> list[NodeProto]:
    """Probabilities times value."""
    probabilities, value = attention.context.input
    (context,) = attention.context.output
    around = f"{context}.around_mean"
    return [
        *_rows(probabilities, probabilities, context, UNSIGNED_STEP, UNSIGNED),
        make_node(
            "MatMulInteger",
            [f"{context}.uint8", value],
            [f"{context}.int32"],
            attention.context.name,
        ),
        make_node("Cast", [f"{context}.int32"], [f"{context}.float"], to=TensorProto.FLOAT),
        make_node("Mul", [f"{context}.float", f"{context}.scale"], [f"{context}.channels"]),
        make_node("Mul", [f"{context}.channels", f"{value}_scale"], [around]),
        make_node("Add", [around, f"{value}_mean"], [context]),
    ]


def _rows(source: str, sizes: str, name: str, step: str, zero_point: str) -> Sequence[NodeProto]:
    """`name`.uint8 and `name`.scale: the largest of `sizes` in a row of `source` fills its byte."""
    largest, scale, units = (f"{name}.{part}" for part in ("max", "scale", "units"))
    return [
        make_node("ReduceMax", [sizes, LAST], [largest]),
        make_node("Mul", [largest, step], [scale]),
        make_node("Div", [source, scale], [units]),
        make_node("QuantizeLinear", [units, ONE, zero_point], [f"{name}.uint8"]),
    ]


def _sizes(encoder: ModelProto, key: str) -> list[int]:
    """heads, head_dim and tokens"""
    (entry,) = (each for each in encoder.graph.output if each.name == key)
    return [each.dim_value for each in entry.type.tensor_type.shape.dim[1:]]
