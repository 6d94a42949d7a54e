"""What captions are compared on."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from export.__main__ import main
from export.errors import PictureError
from export.verification.pictures import ENCODINGS, generate_pictures, read_pictures
from server.captioning.model_directory import read_manifest


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
    with pytest.raises(PictureError, match=r"--images .*nowhere is no directory"):
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
