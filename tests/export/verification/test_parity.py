"""Captions equal transformers', or there is no model directory."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from export.__main__ import main
from export.convert import validate_graph
from export.graphs import causal_mask
from export.verification.parity import Case, TokenIds, worst_difference
from export.verification.pictures import ENCODINGS, generate_pictures
from server.captioning.model.directory import read_manifest
from tests.export.checkpoints import LARGE_LIKE, TINY, Geometry, build_checkpoint, build_model

(PICTURE,) = generate_pictures(1)


@pytest.mark.parametrize("geometry", [LARGE_LIKE], ids=["large-like"])
def test_captions_equal_transformers(geometry: Geometry, tmp_path: Path) -> None:
    """Over every picture mode, with and without prompts, greedy and beams, and fp16 weights."""
    checkpoint = build_checkpoint(tmp_path / "checkpoint", geometry)
    output = tmp_path / "model"
    assert main([str(checkpoint), str(output), "--pictures", str(len(ENCODINGS))]) == 0
    figures = read_manifest(output).verification
    assert figures["captions"] == figures["identical_to_transformers"] == len(ENCODINGS) * 4 * 2


def test_a_graph_with_other_numbers_fails(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Optimum's comparison stops the export, naming graph, output and difference."""

    def validate_against_other_weights(graph: Any, *arguments: Any) -> None:
        model = build_model(TINY, seed=1)
        other = type(graph.module)(model)
        validate_graph(type(graph)(graph.file, other, graph.config, graph.validated_at), *arguments)

    monkeypatch.setattr("export.convert.validate_graph", validate_against_other_weights)
    (tmp_path / "models").mkdir()
    assert main([str(tiny_checkpoint), str(tmp_path / "models" / "tiny")]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "encoder_model.onnx" in message
    assert "image_embeds: max diff" in message
    assert os.listdir(tmp_path / "models") == []


def test_a_graph_that_captions_otherwise_fails(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A module that is itself wrong passes Optimum's comparison, but not the captions'."""

    def mask_nothing(attention_mask: Tensor, sequence: int) -> Tensor:
        return causal_mask(attention_mask, sequence) * 0

    monkeypatch.setattr("export.graphs.causal_mask", mask_nothing)
    (tmp_path / "models").mkdir()
    output = tmp_path / "models" / "tiny"
    assert main([str(tiny_checkpoint), str(output), "--pictures", "2"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "captions differ from transformers'" in message
    assert "prompt '" in message
    assert os.listdir(tmp_path / "models") == []


def test_a_model_the_runtime_refuses_is_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tokenizer with more words than the decoder: the runtime's own check is told in one line."""
    checkpoint = build_checkpoint(tmp_path / "checkpoint", replace(TINY, vocab_size=30523))
    (tmp_path / "models").mkdir()
    output = tmp_path / "models" / "tiny"
    assert main([str(checkpoint), str(output), "--pictures", "1"]) == 1
    assert "tokenizer.json knows 30524 tokens" in capsys.readouterr().err.splitlines()[-1]
    assert os.listdir(tmp_path / "models") == []


def test_the_caption_that_departs_first_is_told() -> None:
    """Of several differing captions the message has the worst, with both sequences."""
    cases = [Case(PICTURE, prompt, 1) for prompt in (None, "one", "two")]
    expected: list[TokenIds] = [(1, 2, 3), (1, 2, 3), (1, 2, 3)]
    found: list[TokenIds] = [(1, 2, 3), (1, 2), (1, 9, 3)]
    assert worst_difference(cases, expected, found) == (
        "the worst (gradient-000.png, prompt 'two', "
        "num_beams 1) from token 1 on: [1, 9, 3] instead of [1, 2, 3]."
    )
