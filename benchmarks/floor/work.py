"""What captioning takes at least, counted from a model directory's graphs."""

from collections.abc import Iterable
from math import prod
from pathlib import Path

import onnx
from onnxruntime.tools.symbolic_shape_infer import (  # type: ignore[import-untyped]
    SymbolicShapeInference,
)

from benchmarks.floor.limits import WEIGHT_BYTES
from benchmarks.rows import Work
from server.captioning.model.directory import ModelDirectory


def work_of(directory: Path) -> Work:
    """For one picture and one row. Raises ModelDirectoryError."""
    model = ModelDirectory.open(directory)
    encoder = onnx.load(model.encoder)
    make_products_plain(encoder.graph)
    sizes = tensor_sizes(encoder)
    weights = {each.name for each in encoder.graph.initializer}
    return Work(
        encoder_operations=2.0 * multiplications(encoder.graph.node, sizes),
        attention_operations=2.0
        * multiplications(
            [node for node in encoder.graph.node if not weights & set(node.input)], sizes
        ),
        weight_bytes=model.decoder.stat().st_size * 4 / WEIGHT_BYTES[model.manifest.precision],
        cross_bytes=4.0
        * sum(
            prod(sizes[output.name])
            for output in encoder.graph.output
            if output.name.endswith((".key", ".value"))
        ),
    )


def make_products_plain(graph: onnx.GraphProto) -> None:
    """Turn quantised products and maxima into what ONNX Runtime infers the shapes of."""
    for node in graph.node:
        if node.op_type in ("DynamicQuantizeLinear", "QuantizeLinear"):
            node.op_type = "Identity"
            del node.input[1:], node.output[1:]
        elif node.op_type in ("MatMulInteger", "MatMulIntegerToFloat"):
            node.op_type, node.domain = "MatMul", ""
            del node.input[2:]
        elif node.op_type == "ReduceMax" and len(node.input) > 1:
            node.op_type = "ReduceMean"


def tensor_sizes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, with every axis that the exporter left open set to 1.

    By ONNX Runtime's inference: ONNX's own does not see through shapes that a graph computes.
    """
    for value in model.graph.input:
        for axis in value.type.tensor_type.shape.dim:
            axis.dim_value = axis.dim_value or 1
    inferred = SymbolicShapeInference.infer_shapes(model, auto_merge=True).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    found = {each.name: _shape(each.type.tensor_type.shape) for each in values}
    found.update({each.name: tuple(each.dims) for each in inferred.initializer})
    return found


def _shape(shape: onnx.TensorShapeProto) -> tuple[int, ...]:
    return tuple(axis.dim_value for axis in shape.dim)


def multiplications(nodes: Iterable[onnx.NodeProto], sizes: dict[str, tuple[int, ...]]) -> int:
    """Those of matrix products and convolutions, which are all but a few percent."""
    total = 0
    for node in nodes:
        if node.op_type in ("MatMul", "Gemm"):
            total += prod(sizes[node.output[0]]) * sizes[node.input[0]][-1]
        elif node.op_type == "Conv":
            total += prod(sizes[node.output[0]]) * prod(sizes[node.input[1]][1:])
    return total
