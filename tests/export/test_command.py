"""The command line as a person meets it: one line for what went wrong, and nothing left behind."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from server.captioning.model.directory import read_manifest
from tests.export.command import ROOT, command, environment, export, find
from tests.hub.fake_hub import serve_hub
from tests.hub.repositories import COMMITS

pytestmark = pytest.mark.process

REPOSITORY = "someone/blip"


def assert_one_line(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """All of stderr is one line with these words in it."""
    assert result.stdout == ""
    assert result.stderr.startswith("export: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--precision", "fp7"], ["--precision", "fp7", "--help"]),
        (["--pictures", "0"], ["--pictures", "0 is less than 1"]),
        (["--min-agreement", "0.9"], ["--min-agreement 0.9", "fp32", "add --precision int8"]),
        (["--keep-fp32", "encoder.*"], ["--keep-fp32 encoder.*", "fp32", "add --precision int8"]),
        (["--private"], ["--private", "--push-to-hub"]),
        (["--push-to-hub", "a/b/c"], ["--push-to-hub", "a/b/c", "OWNER/NAME"]),
        (["--colour"], ["--colour"]),
    ],
)
def test_a_bad_flag_is_one_line_and_exit_code_2(
    flags: list[str], words: list[str], output: Path, tmp_path: Path
) -> None:
    """The flag and its value are named."""
    result = export("anything", output, *flags, home=tmp_path)
    assert result.returncode == 2
    assert_one_line(result, *words)


def test_an_existing_output_is_left_alone(output: Path, tmp_path: Path) -> None:
    """OUTPUT is refused before anything else is looked at, and stays as it is."""
    output.mkdir()
    (output / "precious").write_text("data")
    result = export("no/such/source", output, home=tmp_path)
    assert result.returncode == 1
    assert_one_line(result, str(output), "exists already", "remove it")
    assert (output / "precious").read_text() == "data"


def test_an_output_in_no_directory_is_refused(output: Path, tmp_path: Path) -> None:
    """The directory that is missing is named."""
    result = export("anything", output / "deeper" / "still", home=tmp_path)
    assert result.returncode == 1
    assert_one_line(result, str(output / "deeper"))


def test_without_network_a_hub_id_is_one_line(output: Path, tmp_path: Path) -> None:
    """The id, the hub and both remedies are named, and there is no OUTPUT."""
    result = export("Salesforce/blip-image-captioning-base", output, home=tmp_path)
    assert result.returncode == 1
    assert_one_line(
        result, "Salesforce/blip-image-captioning-base", "can't be reached", "checkpoint directory"
    )
    assert os.listdir(output.parent) == []


@pytest.mark.parametrize("source", ["./no/such/dir", "/no/such/dir", "a/b/c", "pyproject.toml"])
def test_what_can_be_no_hub_id_is_not_looked_for_on_the_hub(
    source: str, output: Path, tmp_path: Path
) -> None:
    """A mistyped path is told to be one, not sent to the hub."""
    result = export(source, output, home=tmp_path)
    assert result.returncode == 1
    assert_one_line(result, source, "neither a directory nor a hub id")


def test_another_architecture_is_named(output: Path, tmp_path: Path) -> None:
    """A checkpoint of something else is refused by what it says it is, unloaded."""
    (tmp_path / "bert").mkdir()
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config))
    result = export(tmp_path / "bert", output, home=tmp_path)
    assert result.returncode == 1
    assert_one_line(result, "bert", "BertForMaskedLM", "BlipForConditionalGeneration")


def test_a_gated_repository_says_how_to_get_in(output: Path, tmp_path: Path) -> None:
    """The remedy is accepting the terms and a token."""
    with serve_hub(REPOSITORY, tmp_path) as hub:
        result = export("someone/gated", output, home=tmp_path, hub=hub)
    assert result.returncode == 1
    assert_one_line(result, "someone/gated", "gated", "HF_TOKEN")


def test_an_unknown_id_is_named(output: Path, tmp_path: Path) -> None:
    """A hub that is reached and has no such repository says so."""
    with serve_hub(REPOSITORY, tmp_path) as hub:
        result = export("someone/else", output, home=tmp_path, hub=hub)
    assert result.returncode == 1
    assert_one_line(result, "someone/else", "spelling")


def test_an_unknown_revision_is_named(output: Path, tmp_path: Path) -> None:
    """The repository is there, the revision is not."""
    with serve_hub(REPOSITORY, tmp_path) as hub:
        result = export(REPOSITORY, output, "--revision", "v9", home=tmp_path, hub=hub)
    assert result.returncode == 1
    assert_one_line(result, REPOSITORY, "revision v9")


def test_a_revision_is_downloaded_and_recorded(
    tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """The manifest and the summary name the hub id, the manifest also the commit."""
    with serve_hub(REPOSITORY, tiny_checkpoint) as hub:
        flags = ("--revision", "v1", "--pictures", "1")
        result = export(REPOSITORY, output, *flags, home=tmp_path, hub=hub)
    assert result.returncode == 0, result.stderr
    manifest = read_manifest(output)
    assert (manifest.source, manifest.revision) == (REPOSITORY, COMMITS["v1"])
    assert REPOSITORY in result.stdout


@pytest.mark.parametrize("revision", [None, "v1"])
def test_what_was_downloaded_needs_no_hub_any_more(
    revision: str | None, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """The cache knows the commit by the name that was asked for."""
    with serve_hub(REPOSITORY, tiny_checkpoint) as hub:
        subprocess.run(
            find(REPOSITORY, revision), cwd=ROOT, env=environment(tmp_path, hub), check=True
        )
    subprocess.run(find(REPOSITORY, revision), cwd=ROOT, env=environment(tmp_path), check=True)


def test_a_disk_that_refuses_leaves_nothing(
    tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """A file that can't grow beyond 1 MiB stands for a full disk: the decoder doesn't fit."""
    result = subprocess.run(
        ["bash", "-c", 'ulimit -f 1024; exec "$@"', "bash", *command(tiny_checkpoint, output)],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"export: {output} can't be written: File too large")
    assert "Traceback" not in result.stderr
    assert os.listdir(output.parent) == []
