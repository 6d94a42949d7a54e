"""Small graphs to rewrite, and running them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_opsetid, make_tensor_value_info

from export.onnx_format import OPSET

Floats = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, Sequence[int | str] | None]


def graph_of(
    nodes: Sequence[NodeProto], inputs: Shapes, outputs: Shapes, weights: Arrays | None = None
) -> ir.Model:
    """Make a model of float32 inputs, outputs and weights."""
    taken, put_out = (
        [make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each.items()]
        for each in (inputs, outputs)
    )
    initializers = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = make_graph(nodes, "graph", taken, put_out, initializers)
    return ir.from_proto(make_model(graph, opset_imports=[make_opsetid("", OPSET)], ir_version=8))


def run(model: ir.Model, feeds: Arrays) -> dict[str, NDArray[Any]]:
    """Run a model by ONNX Runtime. Returns its outputs by name."""
    session = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))
