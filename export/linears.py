"""The linear layers of a graph, and putting other nodes in their place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

CONTRIB = "com.microsoft"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Linear:
    """A product with a constant matrix, and the bias added to it.

    `name` is the torch module's within its graph, `outputs` what its nodes put out: the product,
    and the sum where that is a node of its own. `bias` is "" where there is none.
    """

    name: str
    input: str
    weight: str
    transposed: bool
    bias: str
    outputs: tuple[str, ...]

    @property
    def output(self) -> str:
        return self.outputs[-1]


def find_linears(model: ModelProto) -> list[Linear]:
    constants = {tensor.name for tensor in model.graph.initializer}
    # The exporter writes a biased layer as Gemm where a matrix goes in, else as MatMul and Add.
    biases = {
        product: (bias, node.output[0])
        for node in model.graph.node
        if node.op_type == "Add"
        for product, bias in (node.input, reversed(node.input))
        if bias in constants
    }
    linears = []
    for node in model.graph.node:
        if node.op_type not in ("Gemm", "MatMul") or node.input[1] not in constants:
            continue
        name = module_of(node)
        (product,) = node.output
        if node.op_type == "Gemm":
            source, weight, bias = node.input
            linears.append(Linear(name, source, weight, True, bias, (product,)))
        else:
            source, weight = node.input
            bias, total = biases.get(product, ("", product))
            outputs = (product,) if total == product else (product, total)
            linears.append(Linear(name, source, weight, False, bias, outputs))
    return linears


def module_of(node: NodeProto) -> str:
    """The torch module whose call the exporter wrote a node for: its name within its graph."""
    return node.name.rpartition("/")[0].strip("/").replace("/", ".")


def weight_of(model: ModelProto, linear: Linear) -> Floats:
    """[outputs, inputs], as torch has it."""
    (tensor,) = (each for each in model.graph.initializer if each.name == linear.weight)
    array: Floats = numpy_helper.to_array(tensor)
    return array if linear.transposed else array.T


def rewrite(
    model: ModelProto,
    replacements: Mapping[str, Sequence[NodeProto]],
    constants: Mapping[str, NDArray[np.generic]],
) -> None:
    """Put nodes in the place of the node that puts out each key; drop constants nobody reads."""
    nodes = [new for node in model.graph.node for new in replacements.get(node.output[0], [node])]
    read = {name for node in nodes for name in node.input}
    added = (numpy_helper.from_array(array, name) for name, array in constants.items())
    tensors: list[TensorProto] = [
        tensor for tensor in (*model.graph.initializer, *added) if tensor.name in read
    ]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensors)
    if all(each.domain != CONTRIB for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(CONTRIB, 1))
