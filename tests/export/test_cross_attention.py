"""Cross-attention in 8 bits: what is rewritten in both graphs, and how near it comes."""

from typing import Any

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
from torch import Tensor
from transformers import BlipTextConfig
from transformers.models.blip.modeling_blip_text import BlipTextAttention

from export.cross_attention import find_cross_attentions, quantise_cross_attentions
from export.layers import CrossAttention
from export.onnx_configs import OPSET
from export.sensitivity import attend_in_int8, quantised_key_values

BATCH, TOKENS, HEADS, WIDTH = 2, 9, 3, 8
KEY, VALUE = "cross_key_values.7.key", "cross_key_values.7.value"
Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


def encoder(tokens: int = TOKENS) -> ModelProto:
    """Key and value as linear layers put them out, f32 [batch, tokens, heads * width]."""
    nodes = [
        make_node("Constant", [], ["heads"], value_ints=[0, 0, HEADS, WIDTH]),
        make_node("Reshape", ["key", "heads"], ["key_heads"]),
        make_node("Transpose", ["key_heads"], [KEY], perm=[0, 2, 3, 1]),
        make_node("Reshape", ["value", "heads"], ["value_heads"]),
        make_node("Transpose", ["value_heads"], [VALUE], perm=[0, 2, 1, 3]),
    ]
    inputs = {name: ["batch", tokens, HEADS * WIDTH] for name in ("key", "value")}
    return model(nodes, inputs, stored_shapes(tokens))


def decoder(tokens: int = TOKENS) -> ModelProto:
    nodes = [
        make_node("MatMul", ["query", KEY], ["scores"], "/layers.7/cross_attention/MatMul"),
        make_node("Softmax", ["scores"], ["probabilities"]),
        make_node("MatMul", ["probabilities", VALUE], ["context"], "/layers.7/x/MatMul_1"),
        make_node("Transpose", ["context"], ["merged"], perm=[0, 2, 1, 3]),
    ]
    query = {"query": ["rows", HEADS, "sequence", WIDTH]}
    return model(nodes, query | stored_shapes(tokens), {"merged": None})


def stored_shapes(tokens: int) -> dict[str, list[int | str]]:
    return {KEY: ["batch", HEADS, WIDTH, tokens], VALUE: ["batch", HEADS, tokens, WIDTH]}


def model(nodes: list[Any], inputs: Any, outputs: Any) -> ModelProto:
    taken, put_out = (
        [make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each.items()]
        for each in (inputs, outputs)
    )
    graph = make_graph(nodes, "attention", taken, put_out)
    return make_model(graph, opset_imports=[make_opsetid("", OPSET)], ir_version=8)


def in_int8(tokens: int = TOKENS) -> tuple[ModelProto, ModelProto]:
    graphs = encoder(tokens), decoder(tokens)
    quantise_cross_attentions(*graphs, find_cross_attentions(graphs[1]))
    return graphs


def run(graph: ModelProto, feeds: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def attended(graphs: tuple[ModelProto, ModelProto], query: Floats, picture: Arrays) -> Floats:
    """f32 [rows, sequence, heads, width]"""
    merged: Floats = run(graphs[1], {"query": query} | run(graphs[0], picture))["merged"]
    return merged


def random_picture() -> Arrays:
    """Off zero, and one picture stronger than the other."""
    rng = np.random.default_rng(0)
    strengths = np.array([0.3, 1], np.float32)[:, None, None]
    shape = (BATCH, TOKENS, HEADS * WIDTH)
    return {
        name: (rng.standard_normal(shape, dtype=np.float32) + 1) * strengths
        for name in ("key", "value")
    }


def random_query(sequence: int = 1) -> Floats:
    rng = np.random.default_rng(1)
    return 0.2 * rng.standard_normal((BATCH, HEADS, sequence, WIDTH), dtype=np.float32)


def tensors(picture: Arrays) -> tuple[Tensor, Tensor]:
    """The picture's key and value as the encoder puts them out."""
    key, value = (
        torch.from_numpy(picture[name]).unflatten(2, (HEADS, WIDTH)) for name in ("key", "value")
    )
    return key.permute(0, 2, 3, 1), value.permute(0, 2, 1, 3)


def test_products_with_what_the_encoder_puts_out_are_found() -> None:
    """Under the name of the module that they belong to, and no more once they are in int8."""
    names = [each.name for each in find_cross_attentions(decoder())]
    assert names == ["layers.7.cross_attention.key_values"]
    assert find_cross_attentions(in_int8()[1]) == []


def test_what_leaves_the_encoder_enters_the_decoder() -> None:
    """Name for name and type for type; a picture's keys and values take a byte each."""
    puts_out, takes = (
        {
            each.name: (each.type.tensor_type.elem_type, str(each.type.tensor_type.shape))
            for each in entries
        }
        for entries in (in_int8()[0].graph.output, in_int8()[1].graph.input)
    )
    del takes["query"]
    assert puts_out == takes
    assert {puts_out[name][0] for name in (KEY, VALUE)} == {TensorProto.INT8}


@pytest.mark.parametrize("sequence", [1, 4])
def test_the_graphs_compute_what_the_simulation_says(sequence: int) -> None:
    """A token at a time, which ONNX Runtime has a kernel of its own for, and a prompt at once."""
    query, picture = random_query(sequence=sequence), random_picture()
    found = attended(in_int8(), query, picture)
    expected = attend_in_int8(torch.from_numpy(query), *tensors(picture))
    np.testing.assert_allclose(found, expected.transpose(1, 2).numpy(), rtol=1e-3, atol=1e-4)


def test_attention_changes_little() -> None:
    """By less than a hundredth of what the picture's values span."""
    query, picture = random_query(sequence=4), random_picture()
    exact = attended((encoder(), decoder()), query, picture)
    found = attended(in_int8(), query, picture)
    span = np.ptp(picture["value"], axis=(1, 2))[:, None, None, None]
    assert (abs(found - exact) > 0).any()
    assert (abs(found - exact) < 0.01 * span).all()


def test_what_all_keys_have_in_common_costs_no_precision() -> None:
    """It raises all of a query's scores alike, and would take most of the levels there are."""
    query, picture = random_query(), random_picture()
    before = attended(in_int8(), query, picture)
    picture["key"][..., 0] += 1000
    np.testing.assert_allclose(attended(in_int8(), query, picture), before, atol=0.02)


def test_many_small_probabilities_are_not_lost() -> None:
    """Beside one that fills its byte each rounds to nothing, but together they are half of all."""
    tokens = 1001
    key, value = (np.zeros((1, tokens, HEADS * WIDTH), np.float32) for _ in range(2))
    query = np.zeros((1, HEADS, 1, WIDTH), np.float32)
    query[..., 0], key[:, 0] = 1, np.log(tokens - 1)
    value[:, 1:] = 1
    found = attended(in_int8(tokens), query, {"key": key, "value": value})
    np.testing.assert_allclose(found, 0.5, atol=0.01)


def test_rows_look_at_a_picture_of_their_own_or_at_one_for_all() -> None:
    """Beams share one; either way a row gets what it gets alone."""
    graphs, picture = in_int8(), random_picture()
    query = random_query()
    own = attended(graphs, query, picture)
    first = {name: array[:1] for name, array in picture.items()}
    shared = attended(graphs, query, first)
    for found, alone in (
        (own[:1], attended(graphs, query[:1], first)),
        (shared[:1], own[:1]),
        (shared[1:], attended(graphs, query[1:], first)),
    ):
        np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["query", "key", "value"])
def test_nothing_but_zeros_is_no_number_to_divide_by(name: str) -> None:
    """Its scale is zero, by which nothing may become NaN."""
    feeds = {"query": random_query()} | random_picture()
    feeds[name] = np.zeros_like(feeds[name])
    query = feeds.pop("query")
    exact = attended((encoder(), decoder()), query, feeds)
    simulated = attend_in_int8(torch.from_numpy(query), *tensors(feeds)).transpose(1, 2)
    for found in (attended(in_int8(), query, feeds), simulated.numpy()):
        np.testing.assert_allclose(found, exact, atol=0.1)


def test_the_simulation_changes_a_layer_only_for_a_while() -> None:
    """A little, while it attends in 8 bits; afterwards the layer is exact again."""
    config = BlipTextConfig(hidden_size=16, num_attention_heads=2, encoder_hidden_size=16)
    torch.manual_seed(0)
    layer = CrossAttention(BlipTextAttention(config, is_cross_attention=True)).eval()
    states, cross = torch.randn(1, 3, 16), (torch.randn(1, 2, 8, 9), torch.randn(1, 2, 9, 8))
    with torch.inference_mode():
        exact = layer(states, cross)
        with quantised_key_values(layer):
            rounded = layer(states, cross)
        assert 0 < (rounded - exact).abs().max() < 0.05
        assert torch.equal(layer(states, cross), exact)
