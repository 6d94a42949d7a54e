"""Cross-attention in 8 bits: a picture's keys and values, in memory and read for every token.

Those of a layer and a picture share a scale, and are held around their mean over tokens. That of
the values comes back by addition, as probabilities sum to 1: so what is lost with those too small
for 8 bits is noise without a direction. That of the keys raises all scores of a query alike, which
a softmax doesn't see. Queries and probabilities are quantised row by row, so what a row gets never
depends on the rest of its batch.

Rows get unsigned bytes, keys and values signed ones, and the product no zero point: for a single
row ONNX Runtime then reads its matrix once, as it lies, instead of packing a copy of it first.
"""

from collections.abc import Collection, Mapping, MutableSequence, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.helper import make_node, make_tensor_value_info

from export.cross_key_values import (
    COMMON_CONSTANTS,
    ONE,
    QUERY_ZERO_POINT,
    SIGNED_MAX,
    in_bytes,
    sized_constants,
)
from export.errors import QuantisationError
from export.linears import module_of, rewrite

Entries = MutableSequence[ValueInfoProto]

UNSIGNED, UNSIGNED_MAX = "cross.unsigned_zero", "cross.unsigned_max"
QUERY, LAST = "cross.query_zero", "cross.last"
CONSTANTS: dict[str, NDArray[np.generic]] = {
    UNSIGNED: np.array(0, np.uint8),
    UNSIGNED_MAX: np.array(255, np.float32),
    QUERY: np.array(QUERY_ZERO_POINT, np.uint8),
    LAST: np.array([-1]),  # axis
}


@dataclass(frozen=True, slots=True)
class CrossProducts:
    """The products of one decoder layer with the key and the value that the encoder puts out.

    `name` is that of the torch module that multiplies them, with ".key_values". `merging` brings
    the heads of the context together again.
    """

    name: str
    key: str
    value: str
    scores: NodeProto
    context: NodeProto
    merging: NodeProto


def find_cross_attentions(decoder: ModelProto) -> list[CrossProducts]:
    """Those whose key and value are still in fp32."""
    nodes = decoder.graph.node
    product = {node.input[1]: node for node in nodes if node.op_type == "MatMul"}
    transposition = {node.input[0]: node for node in nodes if node.op_type == "Transpose"}
    names = [each.name for each in decoder.graph.input if each.name in product]
    attentions = []
    for key, value in zip(names[::2], names[1::2], strict=True):
        scores, context = product[key], product[value]
        name, merging = f"{module_of(scores)}.key_values", transposition[context.output[0]]
        attentions.append(CrossProducts(name, key, value, scores, context, merging))
    return attentions


def quantise_cross_attentions(
    encoder: ModelProto, decoder: ModelProto, attentions: Collection[CrossProducts]
) -> None:
    """Rewrite both graphs: what leaves the one and enters the other changes alike."""
    stored: dict[str, list[NodeProto]] = {}
    read: dict[str, list[NodeProto]] = {}
    constants = COMMON_CONSTANTS | CONSTANTS
    source = {node.output[0]: node for node in encoder.graph.node}
    for each in attentions:
        heads, head_dim, tokens = _sizes(encoder, each.key)
        constants |= sized_constants(heads, head_dim, tokens)
        stored |= in_bytes(source, each.key, each.value)
        read |= {
            each.scores.output[0]: _scores(each),
            each.context.output[0]: _context(each),
            each.merging.output[0]: _around_mean(each),
        }
        for entries in (encoder.graph.output, decoder.graph.input):
            _declare(entries, each, {"sum": [heads, 1, tokens], "mean": [1, heads, head_dim]})
    rewrite(encoder, stored, constants)
    rewrite(decoder, read, constants)


def _declare(entries: Entries, attention: CrossProducts, shapes: Mapping[str, list[int]]) -> None:
    """Key and value as int8, and what comes with them."""
    key, value = attention.key, attention.value
    for name in (key, value):
        (entry,) = (each for each in entries if each.name == name)
        entry.type.tensor_type.elem_type = TensorProto.INT8
    batch = entry.type.tensor_type.shape.dim[0].dim_param
    for name, kind, shape in (
        (f"{key}_scale", TensorProto.FLOAT, [1, 1, 1]),
        (f"{key}_sum", TensorProto.INT32, shapes["sum"]),
        (f"{value}_scale", TensorProto.FLOAT, [1, 1, 1]),
        (f"{value}_mean", TensorProto.FLOAT, shapes["mean"]),
    ):
        entries.append(make_tensor_value_info(name, kind, [batch, *shape]))


def _scores(attention: CrossProducts) -> list[NodeProto]:
    """Query times key: the query's zero point is taken off with the sum of the key's channels.

    The subtraction keeps ONNX Runtime from the fusion that `_context` has to avoid.
    """
    query, key = attention.scores.input
    (scores,) = attention.scores.output
    sizes, product, scale = (f"{scores}.{part}" for part in ("abs", "product", "both_scales"))
    return [
        make_node("Abs", [query], [sizes]),
        *_rows(query, sizes, scores, SIGNED_MAX, QUERY),
        make_node("MatMulInteger", [f"{scores}.uint8", key], [product], attention.scores.name),
        make_node("Sub", [product, f"{key}_sum"], [f"{scores}.int32"]),
        make_node("Cast", [f"{scores}.int32"], [f"{scores}.float"], to=TensorProto.FLOAT),
        make_node("Mul", [f"{scores}.scale", f"{key}_scale"], [scale]),
        make_node("Mul", [f"{scores}.float", scale], [scores]),
    ]


def _context(attention: CrossProducts) -> list[NodeProto]:
    """Probabilities times value."""
    probabilities, value = attention.context.input
    (context,) = attention.context.output
    product, scaled = f"{context}.int32", f"{context}.scaled"
    return [
        *_rows(probabilities, probabilities, context, UNSIGNED_MAX, UNSIGNED),
        make_node("MatMulInteger", [f"{context}.uint8", value], [product], attention.context.name),
        make_node("Cast", [product], [f"{context}.float"], to=TensorProto.FLOAT),
        # One scale after the other: ONNX Runtime takes a product of two for one of its own fusions.
        make_node("Mul", [f"{context}.float", f"{context}.scale"], [scaled]),
        make_node("Mul", [scaled, f"{value}_scale"], [context]),
    ]


def _around_mean(attention: CrossProducts) -> list[NodeProto]:
    merging = deepcopy(attention.merging)
    (merged,) = merging.output
    merging.output[0] = f"{merged}.around_mean"
    return [merging, make_node("Add", [merging.output[0], f"{attention.value}_mean"], [merged])]


def _rows(source: str, sizes: str, name: str, most: str, zero_point: str) -> Sequence[NodeProto]:
    """`name`.uint8 and `name`.scale: the largest of `sizes` in a row of `source` fills its byte."""
    largest, scale, units = (f"{name}.{part}" for part in ("max", "scale", "units"))
    return [
        make_node("ReduceMax", [sizes, LAST], [largest]),
        make_node("Div", [largest, most], [scale]),
        make_node("Div", [source, scale], [units]),
        make_node("QuantizeLinear", [units, ONE, zero_point], [f"{name}.uint8"]),
    ]


def _sizes(encoder: ModelProto, key: str) -> list[int]:
    """heads, head_dim and tokens. Raises QuantisationError where the exporter left them open."""
    (entry,) = (each for each in encoder.graph.output if each.name == key)
    sizes = [each.dim_value for each in entry.type.tensor_type.shape.dim[1:]]
    if not all(sizes):
        raise QuantisationError(f"{key} has open axes, {sizes}; export its layers in fp32.")
    return sizes
