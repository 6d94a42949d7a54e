"""What a finished stage depends on."""

import shutil
from dataclasses import replace
from pathlib import Path

from export.sources import Source
from export.stages.keys import captions_key, graphs_key
from export.verification.parity import cases_for
from export.verification.pictures import generate_pictures


def test_graphs_depend_on_the_content_of_a_directory(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A copy elsewhere has the same key, a changed file another one, a file of no use none."""
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    key = graphs_key(Source(tiny_checkpoint, "tiny", None))
    assert graphs_key(Source(copy, "copy", None)) == key
    (copy / "README.md").write_text("no part of the model")
    assert graphs_key(Source(copy, "copy", None)) == key
    (copy / "config.json").write_text("{}")
    assert graphs_key(Source(copy, "copy", None)) != key


def test_graphs_of_the_hub_depend_on_the_commit(tiny_checkpoint: Path) -> None:
    """Its files are not read."""
    source = Source(tiny_checkpoint / "nowhere", "someone/blip", "a" * 40)
    assert graphs_key(source)["checkpoint"] == source.revision


def test_captions_depend_on_pictures_prompts_and_beams() -> None:
    """And on what the graphs depend on."""
    cases = cases_for(generate_pictures(2))
    key = captions_key({"checkpoint": "a"}, cases)
    assert captions_key({"checkpoint": "a"}, cases) == key
    assert captions_key({"checkpoint": "b"}, cases) != key
    for other in (cases[:-1], [replace(cases[0], prompt="x")], [replace(cases[0], num_beams=2)]):
        assert captions_key({"checkpoint": "a"}, other) != key
