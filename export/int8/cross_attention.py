"""Cross-attention in 8 bits: the encoder's last hidden state, and a decoder layer's products.

The encoder puts out its last hidden state as int8, once for the scores and transposed for the
contexts. Each channel has a scale, as a few channels are far larger than the others, and is stored
as the difference from its mean over tokens. Queries are multiplied by the scales before they are
quantised. The mean raises all scores of a query alike, so the softmax cancels it; it is added to
the contexts, as probabilities sum to 1. What probabilities too small for 8 bits would have
contributed is therefore noise around zero.

Queries, probabilities and contexts are quantised by row, so that a row's result does not depend on
the other rows of its batch. They are unsigned, the other factor is signed: ONNX Runtime multiplies
such bytes in the processor's own instructions.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from export.errors import QuantisationError
from export.graphs import IMAGE_EMBEDS
from export.int8.onnx_graph import GraphRewriter, floats_of, is_weight, module_of
from export.int8.weights import ZERO_POINT, quantise_rows

IMAGE_TRANSPOSED = f"{IMAGE_EMBEDS}_transposed"
IMAGE_SCALE, IMAGE_MEAN = f"{IMAGE_EMBEDS}_scale", f"{IMAGE_EMBEDS}_mean"

#: The levels that the largest value gets, among values of either sign, and among unsigned ones.
SIGNED, UNSIGNED = 127, 255


@dataclass(frozen=True, slots=True)
class HeadProduct:
    """The product of an export.layers.HeadLinear, which `name` names within its graph."""

    name: str
    node: ir.Node


@dataclass(frozen=True, slots=True)
class ImageProducts:
    """The two products of an export.layers.ImageAttention."""

    scores: ir.Node
    context: ir.Node


def find_head_products(graph: ir.Graph) -> list[HeadProduct]:
    return [
        HeadProduct(module_of(node), node)
        for node in graph
        if node.op_type == "MatMul" and is_weight(node.inputs[1], rank=4)
    ]


def find_image_products(graph: ir.Graph) -> list[ImageProducts]:
    image = _image_of(graph)
    readers = [each.node for each in image.uses()]
    transposed = [node.outputs[0] for node in readers if node.op_type == "Transpose"]
    scores = {module_of(each.node): each.node for value in transposed for each in value.uses()}
    return [
        ImageProducts(scores[module_of(node)], node)
        for node in readers
        if node.op_type == "MatMul" and module_of(node) in scores
    ]


def quantise_image_embeds(rewriter: GraphRewriter) -> None:
    """Have the encoder put out int8, and a scale and a mean for each channel."""
    (output,) = rewriter.graph.outputs
    batch, tokens, width = _dimensions(output)
    # A product, as ONNX Runtime's ReduceMean keeps to one thread here.
    average = rewriter.constant(np.full((1, tokens), 1 / tokens, np.float32))
    mean = rewriter.op("MatMul", average, output)
    centred = rewriter.op("Sub", output, mean)
    values, largest = _quantise(rewriter, centred, np.int8(0), SIGNED, axis=1)
    transposed = rewriter.op("Transpose", values, perm=[0, 2, 1])
    scale = rewriter.op("Div", largest, rewriter.constant(np.float32(SIGNED)))
    rewriter.append()
    output.name = f"{IMAGE_EMBEDS}.float"
    outputs = _image_values(batch, tokens, width)
    rewriter.graph.outputs[:] = [values, transposed, scale, mean]
    for value, like in zip(rewriter.graph.outputs, outputs, strict=True):
        value.name, value.type, value.shape = like.name, like.type, like.shape


def quantise_image_products(rewriter: GraphRewriter, products: Iterable[ImageProducts]) -> None:
    """Have the decoder take what `quantise_image_embeds` puts out."""
    image = _image_of(rewriter.graph)
    values, *others = _image_values(*_dimensions(image))
    image.type = values.type
    rewriter.graph.inputs.extend(others)
    transposed, scale, mean = others
    # Rows have their largest value for a scale. The levels to divide it by are in these scales,
    # once for all layers.
    query_scale = rewriter.op("Div", scale, rewriter.constant(np.float32(SIGNED)))
    context_scale = rewriter.op("Div", scale, rewriter.constant(np.float32(UNSIGNED)))
    for each in products:
        _quantise_scores(rewriter, each.scores, transposed, query_scale)
        _quantise_context(rewriter, each.context, context_scale, mean)


def quantise_head_products(rewriter: GraphRewriter, products: Iterable[HeadProduct]) -> None:
    """Multiply rows that are quantised at run time by 8-bit columns."""
    for each in products:
        source, weight = each.node.inputs
        assert weight is not None
        columns, scales = quantise_rows(floats_of(weight).swapaxes(2, 3))
        offsets = ZERO_POINT * columns.sum(axis=3, dtype=np.int32)
        rows, largest = _quantise_signed_rows(rewriter, source)
        # Zero points are subtracted afterwards: ONNX Runtime's kernel for one row takes none.
        sums = rewriter.op(
            "MatMulInteger",
            rows,
            rewriter.weight(f"{weight.name}.int8", columns.swapaxes(2, 3)),
            name=each.name,
        )
        offset = rewriter.weight(f"{weight.name}.offset", offsets[:, :, None])
        scale = rewriter.weight(f"{weight.name}.scale", scales[:, :, None] / np.float32(SIGNED))
        product = rewriter.op("Mul", _to_float(rewriter, rewriter.op("Sub", sums, offset)), scale)
        rewriter.replace(each.node.outputs[0], rewriter.op("Mul", product, largest))


def _quantise_scores(
    rewriter: GraphRewriter, product: ir.Node, image: ir.Value, image_scale: ir.Value
) -> None:
    query = rewriter.op("Mul", product.inputs[0], image_scale)
    rows, largest = _quantise_signed_rows(rewriter, query)
    zero_point = rewriter.constant(np.uint8(ZERO_POINT))
    sums = rewriter.op("MatMulInteger", rows, image, zero_point, name=product.name)
    rewriter.replace(product.outputs[0], rewriter.op("Mul", _to_float(rewriter, sums), largest))


def _quantise_context(
    rewriter: GraphRewriter, product: ir.Node, image_scale: ir.Value, image_mean: ir.Value
) -> None:
    probabilities, image = product.inputs
    rows, largest = _quantise(rewriter, probabilities, np.uint8(0), UNSIGNED)
    sums = rewriter.op("MatMulInteger", rows, image, name=product.name)
    # One scale after the other: ONNX Runtime would take their product for a fusion of its own.
    by_row = rewriter.op("Mul", _to_float(rewriter, sums), largest)
    centred = rewriter.op("Mul", by_row, image_scale)
    rewriter.replace(product.outputs[0], rewriter.op("Add", centred, image_mean))


def _quantise_signed_rows(
    rewriter: GraphRewriter, source: ir.Value | None
) -> tuple[ir.Value, ir.Value]:
    return _quantise(rewriter, source, np.uint8(ZERO_POINT), SIGNED)


def _quantise(
    rewriter: GraphRewriter,
    source: ir.Value | None,
    zero_point: np.int8 | np.uint8,
    levels: int,
    axis: int = -1,
) -> tuple[ir.Value, ir.Value]:
    """Quantise by the largest absolute value along an axis, which gets that many levels.

    Returns the bytes, and those largest values.
    """
    sizes = source if levels == UNSIGNED else rewriter.op("Abs", source)
    largest = rewriter.op("ReduceMax", sizes, rewriter.constant(np.array([axis])))
    shares = rewriter.op("Div", source, largest)
    step = rewriter.constant(np.float32(1 / levels))
    return rewriter.op("QuantizeLinear", shares, step, rewriter.constant(zero_point)), largest


def _to_float(rewriter: GraphRewriter, sums: ir.Value) -> ir.Value:
    return rewriter.op("Cast", sums, to=ir.DataType.FLOAT)


def _image_of(graph: ir.Graph) -> ir.Value:
    return next(each for each in graph.inputs if each.name == IMAGE_EMBEDS)


def _dimensions(image: ir.Value) -> tuple[str, int, int]:
    """Return the name of the batch axis, the tokens and the width."""
    batch, tokens, width = image.shape or (None, None, None)
    if isinstance(batch, ir.SymbolicDim) and isinstance(tokens, int) and isinstance(width, int):
        return str(batch.value), tokens, width
    raise QuantisationError(
        f"{image.name} is {image.shape} in the exported graph, where only its batch may have any "
        f"size; export with --keep-fp32 encoder.{IMAGE_EMBEDS}."
    )


def _image_values(batch: str, tokens: int, width: int) -> list[ir.Value]:
    """Make what goes from the encoder to the decoder."""
    return [
        ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape([batch, *shape]))
        for name, dtype, shape in (
            (IMAGE_EMBEDS, ir.DataType.INT8, (tokens, width)),
            (IMAGE_TRANSPOSED, ir.DataType.INT8, (width, tokens)),
            (IMAGE_SCALE, ir.DataType.FLOAT, (1, width)),
            (IMAGE_MEAN, ir.DataType.FLOAT, (1, width)),
        )
    ]
