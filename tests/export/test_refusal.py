"""An int8 candidate that the gate refuses, and the retries."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from export.__main__ import main
from export.retries import counts
from export.stages.directory import work_path
from export.verification.parity import Case, TokenIds
from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import read_manifest
from tests.export.checkpoints import Geometry, build_checkpoint, build_model
from tests.export.damage import damage_mlp

#: Wide enough for int8 to be near fp32 except in the damaged layer.
GEOMETRY = Geometry(32, 8, 64, 2, 2, 64, 2, 2, max_positions=32)
DAMAGED = "encoder.layers.1.mlp.fc2"
FLAGS = ("--precision", "int8", "--pictures", "10", "--min-agreement", "0.5")
KEPT = [f"stage {name}: kept from an earlier run" for name in ("rescaling", "fp32", "reference")]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with one layer that int8 ruins."""
    directory = build_checkpoint(tmp_path_factory.mktemp("checkpoints") / "damaged", GEOMETRY)
    model = build_model(GEOMETRY, end_token_bias=3.5)
    assert damage_mlp(model, layer=1) == DAMAGED
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def refusal(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The directory that a refused export wrote to, and its lines."""
    directory = tmp_path_factory.mktemp("refused")
    return directory, run(checkpoint, directory / "blip", *FLAGS, code=1)


@pytest.fixture
def refused(refusal: tuple[Path, list[str]], output: Path) -> Path:
    """The OUTPUT of a refused export, with a copy of what it left."""
    shutil.copytree(refusal[0], output.parent, dirs_exist_ok=True)
    return output


def run(checkpoint: Path, output: Path, *flags: str, code: int = 0) -> list[str]:
    """Export, and return the lines on stderr."""
    with redirect_stderr(io.StringIO()) as written:
        assert main([str(checkpoint), str(output), *flags]) == code
    return written.getvalue().splitlines()


def test_a_refusal_names_the_damaged_layer(refusal: tuple[Path, list[str]]) -> None:
    """The last line has the figures, the worst layer first, where the candidate is, what to do."""
    directory, (*_, last) = refusal
    assert "captions differ from transformers'" in last
    assert f"The layers that change the logits most: {DAMAGED} (" in last
    assert f"The refused candidate is {directory / 'blip.rejected'}." in last
    assert "--keep-fp32 auto" in last
    assert (
        "Run the command again to continue after rescaling, fp32, reference, sensitivity," in last
    )


def test_a_refused_candidate_is_kept_and_not_served(refused: Path) -> None:
    """It lies beside OUTPUT, with its figures, under a name of the manifest that nothing loads."""
    rejected = refused.with_name("blip.rejected")
    found = sorted(os.listdir(refused.parent))
    assert found == [work_path(refused).name, rejected.name]
    manifest = json.loads((rejected / "manifest.rejected.json").read_text())
    assert manifest["verification"]["identical_to_transformers"] < 20
    with pytest.raises(ModelDirectoryError, match="an export that was refused"):
        BlipCaptioner.open(rejected)


def test_a_retry_neither_exports_nor_captions_with_transformers(
    checkpoint: Path, refused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It quantises and judges. The result replaces all that the refused export left."""
    monkeypatch.setitem(sys.modules, "export.convert", None)  # importing it fails
    lines = run(checkpoint, refused, *FLAGS, "--keep-fp32", DAMAGED)
    assert [line for line in lines if line.startswith("stage")] == KEPT
    assert not any(line.startswith("caption with transformers") for line in lines)
    assert os.listdir(refused.parent) == [refused.name]
    assert read_manifest(refused).verification["kept_fp32"] == [DAMAGED]


def test_auto_keeps_layers_until_the_gate_passes(checkpoint: Path, refused: Path) -> None:
    """Each try is told with its layers and its verdict; the manifest records the layers."""
    lines = run(checkpoint, refused, *FLAGS, "--keep-fp32", "auto")
    tries = [line for line in lines if line.startswith("try")]
    assert tries[0].startswith("try 1: ")
    assert tries[1] == f"try 2: keep 1 more in fp32: {DAMAGED}"
    assert tries[2].startswith("try 2: accepted: ")
    assert len(tries) == 3
    assert "stage sensitivity: kept from an earlier run" in lines
    assert read_manifest(refused).verification["kept_fp32"] == [DAMAGED]


def test_auto_gives_up(checkpoint: Path, refused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a quarter of the layers does not suffice, the last candidate is refused as any other."""

    def wrong_captions(_: Path, cases: Sequence[Case]) -> Iterator[TokenIds]:
        return ((30522, 7) for _ in cases)

    monkeypatch.setattr("export.candidate.runtime_captions", wrong_captions)
    lines = run(checkpoint, refused, *FLAGS, "--keep-fp32", "auto", "decoder.*.key", code=1)
    assert sum(line.startswith("try") for line in lines) == 1 + 2 * 4
    manifest = json.loads(
        (refused.with_name("blip.rejected") / "manifest.rejected.json").read_text()
    )
    assert len(manifest["verification"]["kept_fp32"]) == 1 + 8
    assert not refused.exists()


def test_a_misspelt_layer_keeps_the_stages(checkpoint: Path, refused: Path) -> None:
    """The error names examples, and the next run continues."""
    *_, last = run(checkpoint, refused, *FLAGS, "--keep-fp32", "encoder.nothing", code=1)
    assert "--keep-fp32 encoder.nothing fits no layer" in last
    assert (
        "Run the command again to continue after rescaling, fp32, reference, sensitivity," in last
    )


def test_a_directory_in_the_way_of_a_refusal_is_named(checkpoint: Path, output: Path) -> None:
    """What is not an earlier refusal is not replaced, and that is told before the work."""
    output.with_name("blip.rejected").mkdir()
    (line,) = run(checkpoint, output, *FLAGS, code=1)
    assert "blip.rejected is needed for a refused export" in line


@pytest.mark.parametrize(
    ("layers", "expected"), [(2, [1]), (33, [1, 2, 4, 8]), (183, [1, 2, 4, 8, 16, 32])]
)
def test_tries_double_up_to_a_quarter_of_the_layers(layers: int, expected: list[int]) -> None:
    """So that base geometry takes six tries at most."""
    assert list(counts(layers)) == expected
