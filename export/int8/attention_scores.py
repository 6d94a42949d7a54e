"""Attention scores of the encoder in 8 bits: query and key are quantised at run time.

The key gets signed bytes: ONNX Runtime multiplies unsigned by signed bytes in the processor's own
instructions, but unsigned by unsigned bytes at half that rate. The product with the probabilities
stays in fp32: it needs a scale per row, and finding and applying it costs most of what int8 saves.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from export.int8.onnx_graph import CONTRIB, GraphRewriter, module_of


@dataclass(frozen=True, slots=True)
class Scores:
    """A product that goes into a softmax, and the transpositions of query and key before it.

    `name` is that of the torch module that multiplies them, with ".scores".
    """

    name: str
    query: ir.Node
    key: ir.Node
    output: ir.Value


def find_scores(graph: ir.Graph) -> list[Scores]:
    found = []
    for softmax in graph:
        product = _producer(softmax.inputs[0], "MatMul") if softmax.op_type == "Softmax" else None
        if product is None:
            continue
        query, key = (_producer(each, "Transpose") for each in product.inputs)
        if query is not None and key is not None:
            name = f"{module_of(product)}.scores"
            found.append(Scores(name, query, key, product.outputs[0]))
    return found


def quantise_scores(rewriter: GraphRewriter, scores: Iterable[Scores]) -> None:
    for each in scores:
        query, query_scale, zero_point = rewriter.ops(
            "DynamicQuantizeLinear", each.query.inputs[0], outputs=3
        )
        key, key_scale = _quantise_symmetrically(rewriter, each.key.inputs[0])
        product = rewriter.op(
            "MatMulIntegerToFloat",
            _transpose_like(rewriter, each.query, query),
            _transpose_like(rewriter, each.key, key),
            query_scale,
            key_scale,
            zero_point,
            domain=CONTRIB,
            name=each.name,
        )
        rewriter.replace(each.output, product)


def _quantise_symmetrically(
    rewriter: GraphRewriter, source: ir.Value | None
) -> tuple[ir.Value, ir.Value]:
    """Quantise to int8 by one scale, by which the largest value becomes 127 or -127."""
    largest = rewriter.op("ReduceMax", rewriter.op("Abs", source), keepdims=0)
    scale = rewriter.op("Mul", largest, rewriter.constant(np.array(1 / 127, np.float32)))
    zero_point = rewriter.constant(np.array(0, np.int8))
    return rewriter.op("QuantizeLinear", source, scale, zero_point), scale


def _transpose_like(rewriter: GraphRewriter, transposition: ir.Node, source: ir.Value) -> ir.Value:
    permutation = transposition.attributes["perm"].as_ints()
    return rewriter.op("Transpose", source, perm=permutation)


def _producer(value: ir.Value | None, kind: str) -> ir.Node | None:
    """Return the node that computes `value`, if it is of this kind."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == kind else None
