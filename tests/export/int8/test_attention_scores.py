"""Attention scores in 8 bits: what is rewritten, and how near it comes."""

from typing import cast

import numpy as np
import onnx_ir as ir
import pytest
import torch
from onnx.helper import make_node
from transformers import BlipConfig, BlipVisionConfig
from transformers.models.blip.modeling_blip import BlipEncoderLayer

from export.int8.attention_scores import find_scores, quantise_scores
from export.int8.onnx_graph import GraphRewriter, remove_unused
from export.layers import VisionLayer
from export.verification.simulated_int8 import quantised_scores
from tests.export.int8.graphs import Floats, graph_of, run

SHAPE = (1, 9, 2, 8)  # batch, tokens, heads, width of a head


def attention() -> ir.Model:
    """Query and key f32 SHAPE to probabilities f32 [batch, heads, tokens, tokens]."""
    nodes = [
        make_node("Transpose", ["query"], ["heads"], perm=[0, 2, 1, 3]),
        make_node("Transpose", ["key"], ["transposed"], perm=[0, 2, 3, 1]),
        make_node("MatMul", ["heads", "transposed"], ["product"], "/layers.7/MatMul"),
        make_node("Softmax", ["product"], ["probabilities"]),
    ]
    return graph_of(
        nodes, dict.fromkeys(("query", "key"), SHAPE), {"product": None, "probabilities": None}
    )


def int8_attention() -> ir.Model:
    model = attention()
    quantise_scores(GraphRewriter(model), find_scores(model.graph))
    remove_unused(model)
    return model


def scores_of(model: ir.Model, query: Floats, key: Floats) -> Floats:
    scores: Floats = run(model, {"query": query, "key": key})["product"]
    return scores


def test_a_product_in_front_of_a_softmax_is_found() -> None:
    """Under the name of the module that it belongs to, and no more once it is in int8."""
    assert [each.name for each in find_scores(attention().graph)] == ["layers.7.scores"]
    assert find_scores(int8_attention().graph) == []


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
    (product,) = (node for node in model.graph if node.op_type == "MatMulIntegerToFloat")
    key = product.inputs[1]
    assert key is not None
    key.dtype = ir.DataType.INT8
    model.graph.outputs.append(key)
    rng = np.random.default_rng(0)
    feeds = {name: rng.standard_normal(SHAPE, dtype=np.float32) for name in ("query", "key")}
    assert key.name is not None
    values = run(model, feeds)[key.name]
    assert values.dtype == np.int8
    assert abs(values.astype(int)).max() == 127


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
