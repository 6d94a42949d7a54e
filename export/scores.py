"""Attention scores in 8 bits: query times key, quantised when they are there.

The key gets signed bytes: ONNX Runtime multiplies unsigned by signed ones in the processor's own
instructions, but unsigned by unsigned ones at half that rate. The product with the probabilities
stays in fp32: they need a scale per row, and finding and applying it costs most of what int8 saves.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from onnx.helper import make_node

from export.linears import CONTRIB, module_of

STEP, ZERO = "scores.step", "scores.zero_point"
CONSTANTS: dict[str, NDArray[np.generic]] = {
    STEP: np.array(1 / 127, np.float32),
    ZERO: np.array(0, np.int8),
}


@dataclass(frozen=True, slots=True)
class Scores:
    """A product that goes into a softmax, and the transpositions that query and key come from.

    `name` is that of the torch module that multiplies them, with ".scores".
    """

    name: str
    query: NodeProto
    key: NodeProto
    output: str


def find_scores(model: ModelProto) -> list[Scores]:
    source = {name: node for node in model.graph.node for name in node.output}
    scores = []
    for softmax in model.graph.node:
        if softmax.op_type != "Softmax" or source[softmax.input[0]].op_type != "MatMul":
            continue
        product = source[softmax.input[0]]
        query, key = (source[name] for name in product.input)
        if query.op_type == key.op_type == "Transpose":
            scores.append(Scores(f"{module_of(product)}.scores", query, key, product.output[0]))
    return scores


def quantised(scores: Scores) -> dict[str, list[NodeProto]]:
    """Nodes in the place of those that put out each key; they read CONSTANTS."""
    query, key = scores.query.output[0], scores.key.output[0]
    values, query_scale, zero_point = (f"{query}.{part}" for part in ("uint8", "scale", "zero"))
    return {
        query: [
            make_node(
                "DynamicQuantizeLinear", scores.query.input, [values, query_scale, zero_point]
            ),
            _transposed(scores.query, values),
        ],
        key: [*_symmetric(scores.key.input[0], key), _transposed(scores.key, f"{key}.int8")],
        scores.output: [
            make_node(
                "MatMulIntegerToFloat",
                [query, key, query_scale, f"{key}.scale", zero_point],
                [scores.output],
                scores.name,
                domain=CONTRIB,
            )
        ],
    }


def _symmetric(source: str, name: str) -> Sequence[NodeProto]:
    """`name`.int8 and `name`.scale, by which the largest value of all is 127."""
    sizes, largest, scale = f"{name}.abs", f"{name}.max", f"{name}.scale"
    return [
        make_node("Abs", [source], [sizes]),
        make_node("ReduceMax", [sizes], [largest], keepdims=0),
        make_node("Mul", [largest, STEP], [scale]),
        make_node("QuantizeLinear", [source, scale, ZERO], [f"{name}.int8"]),
    ]


def _transposed(transposition: NodeProto, source: str) -> NodeProto:
    node = deepcopy(transposition)
    node.input[:] = [source]
    return node
