"""A picture's cross-attention keys and values as the encoder puts them out in 8 bits.

export.cross_attention says what they are for.
"""

from collections.abc import Mapping
from copy import deepcopy

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node

QUERY_ZERO_POINT = 128
ONE, SIGNED, SIGNED_MAX = "cross.one", "cross.signed_zero", "cross.signed_max"
PICTURE, SCALAR = "cross.picture", "cross.scalar"
ZERO_POINTS, AVERAGE, HEADS_APART = "cross.zero_points", "cross.average", "cross.heads_apart"
COMMON_CONSTANTS: dict[str, NDArray[np.generic]] = {
    ONE: np.array(1, np.float32),
    SIGNED: np.array(0, np.int8),
    SIGNED_MAX: np.array(127, np.float32),
    PICTURE: np.array([1, 2]),  # axes
    SCALAR: np.array([0, 1, 1, 1]),  # a shape
}


def sized_constants(heads: int, head_dim: int, tokens: int) -> dict[str, NDArray[np.generic]]:
    return {
        ZERO_POINTS: np.full((1, head_dim), QUERY_ZERO_POINT, np.uint8),
        AVERAGE: np.full((1, tokens), 1 / tokens, np.float32),
        HEADS_APART: np.array([0, 1, heads, head_dim]),
    }


def in_bytes(source: Mapping[str, NodeProto], key: str, value: str) -> dict[str, list[NodeProto]]:
    """Nodes in the place of those that put out each key of the result, by `source` at present.

    They put out `key` and `value` int8 and, beside them, what an int8 product needs: the scales
    f32 [batch, 1, 1, 1], `key`_sum int32 [batch, heads, 1, tokens], which is what a query's zero
    point comes to, and `value`_mean f32 [batch, 1, heads, head_dim].
    """
    splits = [source[source[name].input[0]] for name in (key, value)]
    of_key = make_node("MatMulInteger", [ZERO_POINTS, key], [f"{key}_sum"])
    of_value = make_node("Reshape", [f"{value}.mean", HEADS_APART], [f"{value}_mean"])
    return {split.output[0]: [] for split in splits} | {
        key: [*_centred(source[key], splits[0], key), of_key],
        value: [*_centred(source[value], splits[1], value), of_value],
    }


def _centred(transposition: NodeProto, split: NodeProto, name: str) -> list[NodeProto]:
    """`name` int8, `name`_scale and `name`.mean; `split` f32 [batch, tokens, heads * head_dim]."""
    mean, states, sizes, largest, step, units = (
        f"{name}.{part}" for part in ("mean", "centred", "abs", "max", "step", "units")
    )
    split, transposition = deepcopy(split), deepcopy(transposition)
    linear, split.input[0], split.output[0] = split.input[0], f"{name}.int8", f"{name}.heads"
    transposition.input[0] = split.output[0]
    return [
        # A product, for ONNX Runtime's ReduceMean keeps to one thread here.
        make_node("MatMul", [AVERAGE, linear], [mean]),
        make_node("Sub", [linear, mean], [states]),
        make_node("Abs", [states], [sizes]),
        make_node("ReduceMax", [sizes, PICTURE], [largest]),
        make_node("Div", [largest, SIGNED_MAX], [step]),
        make_node("Div", [states, step], [units]),
        make_node("QuantizeLinear", [units, ONE, SIGNED], [f"{name}.int8"]),
        split,
        transposition,
        make_node("Reshape", [step, SCALAR], [f"{name}_scale"]),
    ]
