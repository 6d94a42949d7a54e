"""Which checkpoints are taken, and what is said of the others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from export.__main__ import main
from export.checkpoint import load_checkpoint
from export.errors import SourceError
from export.sources import Source, find_source
from server.captioning.model.directory import read_manifest
from tests.export.checkpoints import TINY, build_checkpoint, build_model

JsonObject = dict[str, Any]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")


def edit(file: Path, change: Callable[[JsonObject], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def save_as_transformers_5(checkpoint: Path) -> None:
    """Rewrite the files of the processor in the form in which transformers 5 saves them."""
    images = checkpoint / "preprocessor_config.json"
    if images.exists():
        nested = {"image_processor": json.loads(images.read_text())}
        (checkpoint / "processor_config.json").write_text(json.dumps(nested))
        images.unlink()
    edit(
        checkpoint / "tokenizer_config.json",
        lambda config: config.update(extra_special_tokens=["[ENC]"]),
    )
    edit(
        checkpoint / "tokenizer_config.json",
        lambda config: config.pop("additional_special_tokens", None),
    )


def refusal(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says of a checkpoint that it refuses; nothing is left of the export."""
    output = checkpoint.with_name("output")
    assert main([str(checkpoint), str(output), "--pictures", "1"]) == 1
    assert [path.name for path in output.parent.iterdir()] == [checkpoint.name]
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("export: checkpoint")
    return message


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("config.json", "config.json"),
        ("preprocessor_config.json", "preprocessor_config.json"),
        ("model.safetensors", "model.safetensors"),
    ],
)
def test_a_missing_file_is_named(
    missing: str, named: str, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is what writes it."""
    (checkpoint / missing).unlink()
    message = refusal(checkpoint, capsys)
    assert named in message
    assert "save_pretrained" in message


def test_files_of_transformers_5_are_read(tiny_checkpoint: Path, checkpoint: Path) -> None:
    """A checkpoint that transformers 5 saved is the same checkpoint."""
    save_as_transformers_5(checkpoint)

    found = load_checkpoint(find_source(str(checkpoint), None))

    expected = load_checkpoint(find_source(str(tiny_checkpoint), None))
    assert found.image_processor.size == expected.image_processor.size
    assert (
        found.tokenizer.backend_tokenizer.to_str() == expected.tokenizer.backend_tokenizer.to_str()
    )


def test_missing_tokenizer_files_are_named(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Either of two would do."""
    (checkpoint / "tokenizer.json").unlink()
    (checkpoint / "vocab.txt").unlink()
    assert "tokenizer.json or vocab.txt" in refusal(checkpoint, capsys)


def test_another_blip_is_refused(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """BLIP for questions has a text encoder too; its weights would half fit."""
    edit(
        checkpoint / "config.json",
        lambda config: config.update(architectures=["BlipForQuestionAnswering"]),
    )
    assert "BlipForQuestionAnswering" in refusal(checkpoint, capsys)


def test_a_configuration_that_is_no_json_is_refused(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named."""
    (checkpoint / "config.json").write_text("{")
    assert "config.json is not JSON" in refusal(checkpoint, capsys)


def test_truncated_weights_are_refused(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted download does not become a model."""
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "can't be loaded" in refusal(checkpoint, capsys)


def test_missing_weights_are_refused(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint with fewer layers than its configuration says is not filled up at random."""
    edit(
        checkpoint / "config.json",
        lambda config: config["text_config"].update(num_hidden_layers=3),
    )
    message = refusal(checkpoint, capsys)
    assert "lacks" in message
    assert "layer.2" in message


def test_a_processor_for_another_size_is_refused(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sizes are named."""
    edit(
        checkpoint / "preprocessor_config.json",
        lambda config: config.update(size={"height": 64, "width": 64}),
    )
    message = refusal(checkpoint, capsys)
    assert "64" in message
    assert "takes 32" in message


def test_relative_positions_are_refused(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They load, but the decoder graph knows absolute ones only."""
    model = build_model(TINY)
    model.config.text_config.position_embedding_type = "relative_key"
    type(model)(model.config).save_pretrained(checkpoint)
    assert "relative_key" in refusal(checkpoint, capsys)


def test_a_revision_of_a_directory_is_refused(tiny_checkpoint: Path) -> None:
    """It would be ignored."""
    with pytest.raises(SourceError, match="--revision main"):
        find_source(str(tiny_checkpoint), "main")


def test_half_precision_weights_are_loaded_in_fp32(tmp_path: Path) -> None:
    """Whatever they were saved in, the graphs and the reference compute in fp32."""
    directory = build_checkpoint(tmp_path / "half", TINY, dtype=torch.float16)
    checkpoint = load_checkpoint(Source(directory, "half", None))
    assert {parameter.dtype for parameter in checkpoint.model.parameters()} == {torch.float32}


def test_a_directory_is_recorded_by_its_name(tiny_export: Path) -> None:
    """The manifest says nothing of where on this machine the checkpoint lay."""
    manifest = read_manifest(tiny_export)
    assert (manifest.source, manifest.revision, manifest.name) == ("tiny", None, "tiny")
