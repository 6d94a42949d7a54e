"""The model that ships: it says what pictures show, and it is what its checkpoint exports to."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.app import open_model
from server.captioning.captioner import BlipCaptioner
from server.captioning.options import GenerationOptions
from server.settings import Settings
from tests.committed_model import EXAMPLES, MODEL, shown_in, without_commas


@pytest.fixture(scope="module")
def captioner() -> Iterator[BlipCaptioner]:
    captioner = BlipCaptioner.open(MODEL, threads=1)
    yield captioner
    captioner.close()


@pytest.mark.parametrize("example", EXAMPLES, ids=shown_in)
def test_an_example_gets_its_caption(captioner: BlipCaptioner, example: Path) -> None:
    """The file's name is the caption, but for commas."""
    caption = captioner.caption(example.read_bytes(), None, GenerationOptions())
    assert without_commas(caption.text) == shown_in(example)
    assert caption.finish_reason == "stop"


@pytest.mark.parametrize("prompt", ["a picture of", "a photo of", "there is"])
def test_a_prompt_is_continued(captioner: BlipCaptioner, prompt: str) -> None:
    """The caption starts with the prompt and goes on with what the picture shows."""
    example = EXAMPLES[0]
    caption = captioner.caption(example.read_bytes(), prompt, GenerationOptions())
    assert caption.text == f"{prompt} {shown_in(example)}"


@pytest.mark.parametrize(("flags", "exact"), [([], False), (["--exact-decode"], True)])
def test_the_server_decodes_in_full_where_it_is_told_to(flags: list[str], exact: bool) -> None:
    """By default it decodes large JPEGs at a fraction of their scale."""
    captioner = open_model(Settings.parse(["--model", str(MODEL), *flags], {}))
    assert captioner.exact_decode is exact


@pytest.mark.parity
@pytest.mark.process
def test_the_committed_directory_is_what_the_checkpoint_exports_to(tmp_path: Path) -> None:
    """Nobody has to trust a binary: exporting again gives the same bytes."""
    output = tmp_path / "emoji_blip"
    command = [sys.executable, "-m", "export", str(MODEL / "checkpoint"), str(output)]
    subprocess.run([*command, "--pictures", "2"], check=True, capture_output=True)
    exported, committed = (
        json.loads((directory / "manifest.json").read_text()) for directory in (output, MODEL)
    )
    assert exported["files"] == committed["files"]
    assert exported["notice"] == committed["notice"]


def test_the_model_says_what_it_knows(captioner: BlipCaptioner) -> None:
    """The notice names the limit of the model, and the command for photographs."""
    notice = captioner.manifest.notice
    assert notice
    assert "emoji" in notice
    assert "scripts/serve --model Salesforce/blip-image-captioning-base" in notice


def test_the_model_stays_small_enough_for_a_repository() -> None:
    """What is committed in all is under 30 MB."""
    kept = (path for path in MODEL.rglob("*") if path.is_file() and ".work" not in path.parts)
    assert sum(path.stat().st_size for path in kept) < 30_000_000
