"""Rewriting an ONNX graph in place."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.convenience import replace_nodes_and_values
from onnx_ir.passes.common import RemoveUnusedNodesPass

from export.errors import QuantisationError

CONTRIB = "com.microsoft"

Array = NDArray[np.generic] | np.generic
Floats = NDArray[np.float32]
Attribute = int | float | str | Sequence[int]


class GraphRewriter:
    """Adds nodes to a graph that take the place of others."""

    def __init__(self, model: ir.Model) -> None:
        self.graph = model.graph
        self._tape = ir.tape.Tape()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self.graph.opset_imports.setdefault(CONTRIB, 1)

    def op(
        self,
        kind: str,
        *inputs: ir.Value | None,
        domain: str = "",
        name: str | None = None,
        **attributes: Attribute,
    ) -> ir.Value:
        """Make a node with one output, which `replace` will insert. Return the output."""
        return self._tape.op(kind, inputs, attributes, domain=domain, name=name)

    def ops(self, kind: str, *inputs: ir.Value | None, outputs: int) -> tuple[ir.Value, ...]:
        """Make a node with several outputs."""
        return tuple(self._tape.op_multi_out(kind, inputs, num_outputs=outputs))

    def constant(self, array: Array) -> ir.Value:
        """Return an initializer with the array's contents, the same one for equal arrays."""
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weight(f"int8.constant_{len(self._constants)}", array)
        return self._constants[key]

    def weight(self, name: str, array: Array) -> ir.Value:
        """Return a new initializer."""
        tensor = ir.Tensor(np.array(array, order="C"), name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype))
        value.const_value = tensor
        self.graph.register_initializer(value)
        return value

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """Insert the nodes made so far where `old` is computed; its readers read `new` from now on.

        What only `old` was computed from stays until `remove_unused`.
        """
        node = old.producer()
        assert node is not None, f"{old.name} is computed by no node"
        replace_nodes_and_values(self.graph, node, [node], self._tape.nodes, [old], [new])
        self._tape = ir.tape.Tape()

    def append(self) -> None:
        """Insert the nodes made so far at the graph's end."""
        self.graph.extend(self._tape.nodes)
        self._tape = ir.tape.Tape()


def remove_unused(model: ir.Model) -> None:
    """Remove nodes and initializers that no output depends on."""
    RemoveUnusedNodesPass()(model)


def floats_of(initializer: ir.Value) -> Floats:
    assert initializer.const_value is not None, f"{initializer.name} is no initializer"
    return initializer.const_value.numpy().astype(np.float32, copy=False)


def is_weight(value: ir.Value | None, rank: int) -> bool:
    return value is not None and value.is_initializer() and len(value.shape or ()) == rank


def module_of(node: ir.Node) -> str:
    """Return the torch module that the exporter wrote a node for: its name within its graph."""
    return (node.name or "").rpartition("/")[0].strip("/").replace("/", ".")


def check_count(what: str, found: int, expected: int) -> None:
    """Raise QuantisationError if there are other than the `expected` number of places."""
    if found != expected:
        raise QuantisationError(
            f"{found} {what} were found in the graphs, where the checkpoint's configuration and "
            f"--keep-fp32 imply {expected}: this exporter writes graphs in another form than int8 "
            "can rewrite. Install the versions in constraints-export.txt, or export in fp32."
        )
