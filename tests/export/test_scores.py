"""Attention scores in 8 bits: what is rewritten, and how near it comes."""

from typing import cast

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor_value_info,
)
from transformers import BlipConfig, BlipVisionConfig
from transformers.models.blip.modeling_blip import BlipEncoderLayer

from export.layers import VisionLayer
from export.linears import rewrite
from export.onnx_configs import OPSET
from export.scores import CONSTANTS, find_scores, quantised
from export.sensitivity import quantised_scores

SHAPE = (1, 9, 2, 8)  # batch, tokens, heads, width of a head
Floats = NDArray[np.float32]


def attention() -> ModelProto:
    """Query and key f32 SHAPE to probabilities f32 [batch, heads, tokens, tokens]."""
    float_tensor = TensorProto.FLOAT
    nodes = [
        make_node("Transpose", ["query"], ["heads"], perm=[0, 2, 1, 3]),
        make_node("Transpose", ["key"], ["transposed"], perm=[0, 2, 3, 1]),
        make_node("MatMul", ["heads", "transposed"], ["product"], "/layers.7/MatMul"),
        make_node("Softmax", ["product"], ["probabilities"]),
    ]
    inputs = [make_tensor_value_info(name, float_tensor, SHAPE) for name in ("query", "key")]
    outputs = [
        make_tensor_value_info(name, float_tensor, None) for name in ("product", "probabilities")
    ]
    graph = make_graph(nodes, "attention", inputs, outputs)
    return make_model(graph, opset_imports=[make_opsetid("", OPSET)], ir_version=8)


def int8_attention() -> ModelProto:
    model = attention()
    (scores,) = find_scores(model)
    rewrite(model, quantised(scores), CONSTANTS)
    return model


def scores_of(model: ModelProto, query: Floats, key: Floats) -> Floats:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    scores: Floats = session.run(["product"], {"query": query, "key": key})[0]
    return scores


def test_a_product_in_front_of_a_softmax_is_found() -> None:
    """Under the name of the module that it belongs to, and no more once it is in int8."""
    assert [each.name for each in find_scores(attention())] == ["layers.7.scores"]
    assert find_scores(int8_attention()) == []


@pytest.mark.parametrize("offset", [0, 3])
def test_scores_are_off_by_no_more_than_the_rounding(offset: float) -> None:
    """Half a step of the query times the key, and half a step of the key times the query."""
    rng = np.random.default_rng(0)
    query, key = (rng.standard_normal(SHAPE, dtype=np.float32) + offset for _ in range(2))
    exact = scores_of(attention(), query, key)
    found = scores_of(int8_attention(), query, key)
    query_step = (max(query.max(), 0) - min(query.min(), 0)) / 255
    key_step = abs(key).max() / 127
    sums = [abs(each).sum(axis=-1).transpose(0, 2, 1) for each in (query, key)]
    bound = (sums[0][..., None] * key_step + sums[1][:, :, None] * query_step) / 2
    bound += SHAPE[-1] * query_step * key_step / 4
    assert found.shape == exact.shape
    assert (abs(found - exact) > 0).any()
    assert (abs(found - exact) <= bound * 1.001).all()


def test_keys_of_nothing_but_zeros_score_zero() -> None:
    """Their scale is zero too, by which nothing may become NaN."""
    query = np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32)
    assert not scores_of(int8_attention(), query, np.zeros(SHAPE, np.float32)).any()


def test_the_key_fills_signed_bytes() -> None:
    """Unsigned ones would come out right as well, and take twice as long; fewer levels, too."""
    model = int8_attention()
    (product,) = (node for node in model.graph.node if node.op_type == "MatMulIntegerToFloat")
    model.graph.output.append(make_tensor_value_info(product.input[1], TensorProto.INT8, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(0)
    feeds = {name: rng.standard_normal(SHAPE, dtype=np.float32) for name in ("query", "key")}
    key = session.run(None, feeds)[-1]
    assert key.dtype == np.int8
    assert abs(key.astype(int)).max() == 127


def test_the_simulation_changes_a_layer_only_for_a_while() -> None:
    """A little, while it rounds query and key; afterwards the layer is exact again."""
    config = BlipVisionConfig(hidden_size=16, intermediate_size=32, num_attention_heads=2)
    torch.manual_seed(0)
    # transformers' own annotation is of the whole model's configuration, its argument is not.
    layer = VisionLayer(BlipEncoderLayer(cast(BlipConfig, config))).eval()
    states = torch.randn(1, 9, 16)
    with torch.inference_mode():
        exact = layer(states)
        with quantised_scores(layer):
            rounded = layer(states)
        assert 0 < (rounded - exact).abs().max() < 0.05
        assert torch.equal(layer(states), exact)
