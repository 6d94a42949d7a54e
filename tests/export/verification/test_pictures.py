"""What captions are compared on."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from export.__main__ import main
from export.errors import PictureError
from export.verification.parity import Case, cases_for
from export.verification.pictures import (
    ENCODINGS,
    Picture,
    default_count,
    generate_pictures,
    read_pictures,
)
from server.captioning.model.directory import read_manifest


def test_generated_pictures_are_the_same_every_time() -> None:
    """So that figures in a manifest can be had again."""
    assert generate_pictures(5) == generate_pictures(5)


def test_generated_pictures_differ() -> None:
    """In content, size, mode and format."""
    opened = [Image.open(BytesIO(picture.data)) for picture in generate_pictures(24)]
    assert {(image.mode, image.format) for image in opened} == set(ENCODINGS)
    assert len({image.size for image in opened}) == 24


def test_a_directory_gives_its_pictures_by_name(tmp_path: Path) -> None:
    """Other files are passed over."""
    for name in ("b.png", "a.JPG"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [picture.name for picture in read_pictures(tmp_path)] == ["a.JPG", "b.png"]


def test_a_directory_without_pictures_is_refused(tmp_path: Path) -> None:
    """Nothing to compare on is no success."""
    with pytest.raises(PictureError, match="has no pictures"):
        read_pictures(tmp_path)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The flag and the path are named."""
    with pytest.raises(PictureError, match=r"--images .*nowhere is not a directory"):
        read_pictures(tmp_path / "nowhere")


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    """Before anything is exported."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(PictureError, match=r"broken\.png"):
        read_pictures(tmp_path)


@pytest.mark.parametrize(("most", "used"), [("2", 2), ("5", 3)])
def test_given_pictures_are_used(
    most: str, used: int, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """--images compares on these, --pictures on no more of them than it says."""
    (tmp_path / "images").mkdir()
    for picture in generate_pictures(3):
        (tmp_path / "images" / picture.name).write_bytes(picture.data)
    output = tmp_path / "model"
    flags = ["--images", str(tmp_path / "images"), "--pictures", most]
    assert main([str(tiny_checkpoint), str(output), *flags]) == 0
    assert read_manifest(output).verification["pictures"] == used


@pytest.mark.parametrize(
    ("parameters", "count"),
    [(803_468, 97), (4_134_204, 50), (37_316_156, 9), (223_971_644, 2), (446_290_492, 2)],
)
def test_the_default_number_goes_by_the_size_of_the_model(parameters: int, count: int) -> None:
    """It is the same on every machine, and never less than 2."""
    assert default_count(parameters, captions_per_picture=8) == count


def test_fewer_pictures_with_more_captions_each() -> None:
    """A checkpoint that is compared with a third search gets fewer pictures by default."""
    assert default_count(803_468, captions_per_picture=12) == 64


def test_by_default_a_tiny_checkpoint_is_compared_on_fewer_than_100_pictures(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 200 it took over five minutes."""
    counted = []

    def count_cases(pictures: Sequence[Picture], *rest: Any) -> list[Case]:
        counted.append(len(pictures))
        return cases_for(pictures[:1], *rest)

    monkeypatch.setattr("export.verification.gate.cases_for", count_cases)
    assert main([str(tiny_checkpoint), str(tmp_path / "model")]) == 0
    assert counted == [97]
