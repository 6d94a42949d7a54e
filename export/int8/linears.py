"""Linear layers in 8 bits.

The two graphs are slow for different reasons. The encoder multiplies hundreds of rows by each
weight, so arithmetic counts: activations are quantised at run time, per tensor, and multiplied by
8-bit columns. The decoder multiplies one row, so bytes count: its weights are blocks of 8 bits with
a scale each. Activations are quantised by row there, so that a row's result does not depend on the
other rows of its batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from export.int8.onnx_graph import CONTRIB, GraphRewriter, floats_of, is_weight, module_of
from export.int8.weights import Floats, block_size, quantise_blocks, quantise_rows

INT8_ACTIVATIONS = 4  # an accuracy_level of MatMulNBits


@dataclass(frozen=True, slots=True)
class Linear:
    """A product with a constant matrix, and the bias added to it.

    `name` is the torch module's within its graph. `transposed` says that the matrix is
    [outputs, inputs].
    """

    name: str
    source: ir.Value
    weight: ir.Value
    transposed: bool
    bias: ir.Value | None
    output: ir.Value

    def array(self) -> Floats:
        """The weight f32 [outputs, inputs], as in torch."""
        array = floats_of(self.weight)
        return array if self.transposed else array.T


def find_linears(graph: ir.Graph) -> list[Linear]:
    """Find products with a matrix. The exporter writes Gemm where the input is a matrix too."""
    found = []
    for node in graph:
        if node.op_type not in ("Gemm", "MatMul"):
            continue
        source, weight, *bias = node.inputs
        if source is None or weight is None or not is_weight(weight, rank=2):
            continue
        gemm = node.op_type == "Gemm"
        addend, output = (bias[0], node.outputs[0]) if gemm else _bias_of(node.outputs[0])
        found.append(Linear(module_of(node), source, weight, gemm, addend, output))
    return found


def quantise_encoder_linears(rewriter: GraphRewriter, linears: Iterable[Linear]) -> None:
    """Multiply dynamically quantised activations by 8-bit columns."""
    activations: dict[ir.Value, tuple[ir.Value, ...]] = {}
    for linear in linears:
        source, name = linear.source, linear.weight.name
        if source not in activations:
            activations[source] = rewriter.ops("DynamicQuantizeLinear", source, outputs=3)
        values, scale, zero_point = activations[source]
        rows, scales = quantise_rows(linear.array())
        product = rewriter.op(
            "MatMulIntegerToFloat",
            values,
            rewriter.weight(f"{name}.int8", rows.T),
            scale,
            rewriter.weight(f"{name}.scale", scales),
            zero_point,
            None,
            linear.bias,
            domain=CONTRIB,
            name=linear.name,
        )
        rewriter.replace(linear.output, product)


def find_tied_embeddings(linears: Iterable[Linear]) -> list[ir.Node]:
    """Find the look-ups of embeddings that are the weights of linear layers too."""
    uses = (use for linear in linears for use in linear.weight.uses())
    return [use.node for use in uses if use.node.op_type == "Gather"]


def quantise_decoder_linears(rewriter: GraphRewriter, linears: Iterable[Linear]) -> None:
    """Store weights in blocks. A tied embedding is read from the blocks too."""
    for linear in linears:
        weight, name = linear.array(), linear.weight.name
        outputs, inputs = weight.shape
        size = block_size(inputs)
        blocks, scales = quantise_blocks(weight, size)
        values = rewriter.weight(f"{name}.uint8", blocks)
        product = rewriter.op(
            "MatMulNBits",
            linear.source,
            values,
            rewriter.weight(f"{name}.scale", scales),
            None,
            None,
            linear.bias,
            domain=CONTRIB,
            name=linear.name,
            K=inputs,
            N=outputs,
            bits=8,
            block_size=size,
            accuracy_level=INT8_ACTIVATIONS,
        )
        rewriter.replace(linear.output, product)
        if inputs % size == 0:  # Otherwise a row of blocks is longer than an embedding.
            for gather in find_tied_embeddings([linear]):
                _look_up_in_blocks(rewriter, gather, values, scales[..., None], size)


def _look_up_in_blocks(
    rewriter: GraphRewriter, gather: ir.Node, blocks: ir.Value, scales: Floats, size: int
) -> None:
    table, indices = gather.inputs
    assert table is not None
    rows = rewriter.op(
        "GatherBlockQuantized",
        blocks,
        indices,
        rewriter.weight(f"{table.name}.row_scale", scales),
        domain=CONTRIB,
        name=gather.name,
        bits=8,
        block_size=size,
        gather_axis=0,
        quantize_axis=2,
    )
    shape = rewriter.constant(np.array([0, 0, -1]))
    rewriter.replace(gather.outputs[0], rewriter.op("Reshape", rows, shape))


def _bias_of(product: ir.Value) -> tuple[ir.Value | None, ir.Value]:
    """Return the constant that is added to a product, if there is one, and the layer's output."""
    for use in product.uses():
        if use.node.op_type == "Add":
            addend = use.node.inputs[1 - use.idx]
            if addend is not None and addend.is_initializer():
                return addend, use.node.outputs[0]
    return None, product
