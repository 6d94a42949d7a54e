"""OpenVINO's form of the model against transformers' own forward pass."""

from pathlib import Path

import pytest
import torch

from benchmarks.peers.key_value_graphs import graphs_of
from export.convert import export_graph, validate_graph
from export.graphs import IMAGE_EMBEDS
from export.terminal.quiet import quiet
from tests.export.checkpoints import ODD, build_model

pytestmark = pytest.mark.parity

IDS = torch.tensor([[30522, 1037, 3861, 1997], [30522, 2045, 2003, 1037]])


@torch.inference_mode()
def test_a_prompt_gets_transformers_logits() -> None:
    """Encoder and decoder step together give the logits of the model's own forward pass."""
    model = build_model(ODD)
    pixel_values = torch.randn(2, 3, 42, 42, generator=torch.Generator().manual_seed(1))
    encoder, decoder = (graph.module for graph in graphs_of(model))
    empty = torch.empty(2, ODD.text_heads, 0, ODD.text_hidden // ODD.text_heads)
    past = [(empty, empty)] * ODD.text_layers
    positions = torch.arange(4).expand_as(IDS)
    image = encoder(pixel_values)[IMAGE_EMBEDS]
    found = decoder(IDS, positions, torch.ones_like(IDS), past, image)["logits"]
    expected = model(pixel_values=pixel_values, input_ids=IDS).logits[:, -1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("index", [0, 1], ids=["encoder", "decoder"])
def test_the_graphs_compute_what_their_modules_compute(tmp_path: Path, index: int) -> None:
    """Names, shapes and numbers agree, by Optimum's comparison."""
    model = build_model(ODD)
    graph = graphs_of(model)[index]
    with quiet():
        export_graph(model, graph, tmp_path)
        validate_graph(graph, tmp_path, lambda: None)
