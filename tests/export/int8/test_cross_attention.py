"""Cross-attention in 8 bits: what is rewritten in both graphs, and how near it comes."""

import numpy as np
import onnx_ir as ir
import pytest
import torch
from onnx.helper import make_node
from transformers import BlipTextConfig
from transformers.models.blip.modeling_blip_text import BlipTextAttention

from export.int8.cross_attention import (
    find_head_products,
    find_image_products,
    quantise_head_products,
    quantise_image_embeds,
    quantise_image_products,
)
from export.int8.onnx_graph import GraphRewriter, remove_unused
from export.layers import STRIPE, CrossAttention, HeadLinear
from export.verification.simulated_int8 import (
    attend_in_int8,
    fake_quantise_columns,
    fake_quantise_row,
    quantised,
    quantised_image,
)
from tests.export.int8.graphs import Arrays, Floats, Shapes, graph_of, run

IMAGES, TOKENS, WIDTH = 2, 9, 8
MODULE = "/layers.7/cross_attention"


def encoder(tokens: int = TOKENS) -> ir.Model:
    nodes = [make_node("Identity", ["hidden"], ["image_embeds"])]
    shape: list[int | str] = ["batch", tokens, WIDTH]
    return graph_of(nodes, {"hidden": shape}, {"image_embeds": shape})


def decoder(tokens: int = TOKENS) -> ir.Model:
    nodes = [
        make_node("Transpose", ["image_embeds"], ["transposed"], perm=[0, 2, 1]),
        make_node("MatMul", ["rows", "transposed"], ["scores"], f"{MODULE}/attend/MatMul"),
        make_node("Softmax", ["scores"], ["probabilities"]),
        make_node(
            "MatMul", ["probabilities", "image_embeds"], ["context"], f"{MODULE}/attend/MatMul_1"
        ),
    ]
    inputs: Shapes = {
        "rows": ["images", "rows", WIDTH],
        "image_embeds": ["image_batch", tokens, WIDTH],
    }
    return graph_of(nodes, inputs, {"context": None})


def in_int8(tokens: int = TOKENS) -> tuple[ir.Model, ir.Model]:
    graphs = encoder(tokens), decoder(tokens)
    quantise_image_embeds(GraphRewriter(graphs[0]))
    quantise_image_products(GraphRewriter(graphs[1]), find_image_products(graphs[1].graph))
    for graph in graphs:
        remove_unused(graph)
    return graphs


def attended(graphs: tuple[ir.Model, ir.Model], rows: Floats, hidden: Floats) -> Floats:
    """Return contexts f32 [images, rows, width]."""
    context: Floats = run(graphs[1], {"rows": rows} | run(graphs[0], {"hidden": hidden}))["context"]
    return context


def random_hidden() -> Floats:
    """Return hidden states off zero, of one picture stronger than the other."""
    strengths = np.array([0.3, 1], np.float32)[:, None, None]
    random = np.random.default_rng(0).standard_normal((IMAGES, TOKENS, WIDTH), dtype=np.float32)
    return (random + 1) * strengths


def random_rows(count: int = 3) -> Floats:
    random = np.random.default_rng(1).standard_normal((IMAGES, count, WIDTH), dtype=np.float32)
    return 0.5 * random


def test_products_with_the_image_are_found() -> None:
    """A layer's two, in fp32; none once they are in int8."""
    (products,) = find_image_products(decoder().graph)
    assert products.scores.outputs[0].name == "scores"
    assert products.context.outputs[0].name == "context"
    assert find_image_products(in_int8()[1].graph) == []


def test_what_leaves_the_encoder_enters_the_decoder() -> None:
    """Names, types and shapes agree; the hidden state takes a byte for each number, twice."""
    graphs = in_int8()
    puts_out, takes = (
        {each.name: (each.dtype, each.shape.dims[1:]) for each in values if each.shape}
        for values in (graphs[0].graph.outputs, graphs[1].graph.inputs)
    )
    del takes["rows"]
    assert puts_out == takes
    assert puts_out["image_embeds"] == (ir.DataType.INT8, (TOKENS, WIDTH))
    assert puts_out["image_embeds_transposed"] == (ir.DataType.INT8, (WIDTH, TOKENS))


@pytest.mark.parametrize("count", [1, 4])
def test_the_graphs_compute_what_the_simulation_says(count: int) -> None:
    """For one row and for several."""
    rows, hidden = random_rows(count), random_hidden()
    found = attended(in_int8(), rows, hidden)
    expected = attend_in_int8(torch.from_numpy(rows), torch.from_numpy(hidden))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_attention_changes_little() -> None:
    """By less than a hundredth of what a picture's hidden state spans."""
    rows, hidden = random_rows(), random_hidden()
    exact = attended((encoder(), decoder()), rows, hidden)
    found = attended(in_int8(), rows, hidden)
    span = np.ptp(hidden, axis=(1, 2))[:, None, None]
    assert (abs(found - exact) > 0).any()
    assert (abs(found - exact) < 0.01 * span).all()


def test_what_all_tokens_have_in_common_costs_no_precision() -> None:
    """A channel that is large in every token leaves scores and other channels as they were."""
    rows, hidden = random_rows(), random_hidden()
    before = attended(in_int8(), rows, hidden)
    hidden[..., 0] += 1000
    before[..., 0] += 1000
    np.testing.assert_allclose(attended(in_int8(), rows, hidden), before, atol=0.02)


def test_a_channel_much_larger_than_the_others_costs_them_no_precision() -> None:
    """Each has a scale of its own."""
    rows, hidden = random_rows(), random_hidden()
    hidden[..., 0] *= 1000
    rows[..., 0] /= 1000
    exact = attended((encoder(), decoder()), rows, hidden)
    found = attended(in_int8(), rows, hidden)
    np.testing.assert_allclose(found[..., 1:], exact[..., 1:], atol=0.04)


def test_many_small_probabilities_are_not_lost() -> None:
    """Beside one that fills its byte each rounds to nothing, but together they are half of all."""
    tokens = 1001
    hidden, rows = np.zeros((1, tokens, WIDTH), np.float32), np.zeros((1, 1, WIDTH), np.float32)
    rows[..., 0], hidden[:, 0, 0] = 1, np.log(tokens - 1)
    hidden[:, 1:, 1] = 1
    found = attended(in_int8(tokens), rows, hidden)
    np.testing.assert_allclose(found[..., 1], 0.5, atol=0.01)


def test_a_row_does_not_depend_on_the_others() -> None:
    """Neither on rows of its picture, nor on other pictures and their rows."""
    graphs, rows, hidden = in_int8(), random_rows(), random_hidden()
    rows[:, 1:] *= 100
    together = attended(graphs, rows, hidden)
    for image in range(IMAGES):
        alone = attended(graphs, rows[image : image + 1, :1], hidden[image : image + 1])
        np.testing.assert_allclose(together[image, :1], alone[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["rows", "hidden"])
def test_nothing_but_zeros_is_no_number_to_divide_by(name: str) -> None:
    """Their scale is zero, by which nothing may become NaN."""
    feeds = {"rows": random_rows(), "hidden": random_hidden()}
    feeds[name] = np.zeros_like(feeds[name])
    exact = attended((encoder(), decoder()), **feeds)
    simulated = attend_in_int8(*(torch.from_numpy(each) for each in feeds.values())).numpy()
    for found in (attended(in_int8(), **feeds), simulated):
        np.testing.assert_allclose(found, exact, atol=0.1)


@pytest.mark.parametrize("outputs", [5, 2 * STRIPE])
def test_head_products_are_those_of_rounded_rows_and_columns(outputs: int) -> None:
    """In one stripe and in two; a row of zeros gives zeros."""
    generator = torch.Generator().manual_seed(0)
    layer = HeadLinear(torch.randn(3, 16, outputs, generator=generator))
    rows = torch.randn(2, 3, 1, 1, 16, generator=generator)
    rows[1, 2] = 0
    node = make_node("MatMul", ["rows", "weight"], ["product"], f"{MODULE}/key/MatMul")
    weights: Arrays = {"weight": layer.weight.detach().numpy()}
    model = graph_of([node], {"rows": ["rows", 3, 1, 1, 16]}, {"product": None}, weights)
    products = find_head_products(model.graph)
    assert [each.name for each in products] == ["layers.7.cross_attention.key"]
    quantise_head_products(GraphRewriter(model), products)
    remove_unused(model)
    assert find_head_products(model.graph) == []
    with torch.inference_mode(), quantised(layer, fake_quantise_columns, fake_quantise_row):
        expected = layer(rows)
    found = run(model, {"rows": rows.numpy()})["product"]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_the_simulation_changes_a_layer_only_for_a_while() -> None:
    """A little, while it sees the picture in 8 bits; afterwards the layer is exact again."""
    config = BlipTextConfig(hidden_size=16, num_attention_heads=2, encoder_hidden_size=24)
    torch.manual_seed(0)
    layer = CrossAttention(BlipTextAttention(config, is_cross_attention=True)).eval()
    states, image = torch.randn(1, 3, 16), torch.randn(1, 9, 24)
    with torch.inference_mode():
        exact = layer(states, image)
        with quantised_image([layer.attend]):
            rounded = layer(states, image)
        assert 0 < (rounded - exact).abs().max() < 0.05
        assert torch.equal(layer(states, image), exact)
