"""The photographs that int8 is judged on."""

import re
from io import BytesIO

import pytest
from PIL import Image

from export.verification.parity import cases_for
from export.verification.photographs import CROPS, DIRECTORY, crop, read_photographs
from export.verification.pictures import Picture

FILES = sorted(path.name for path in DIRECTORY.glob("*.jpg"))
LICENCES = ("CC0 1.0", "public domain", "CC BY 1.0", "CC BY 2.0", "CC BY 4.0")


def test_they_give_enough_captions() -> None:
    """At least 200 on 24 photographs or about so, the same ones every time."""
    pictures = read_photographs()
    assert len(FILES) >= 20
    assert [picture.name for picture in pictures[: len(FILES)]] == FILES
    assert len(pictures) == len(FILES) * (1 + len(CROPS))
    assert len(cases_for(pictures)) >= 200
    assert pictures == read_photographs()


def test_no_two_pictures_are_the_same() -> None:
    """A picture that is there twice would add captions and no information."""
    pictures = read_photographs()
    assert len({picture.data for picture in pictures}) == len(pictures)
    assert len({picture.name for picture in pictures}) == len(pictures)


def test_they_are_small() -> None:
    """Everybody who clones the repository gets them."""
    assert sum((DIRECTORY / name).stat().st_size for name in FILES) < 600_000


def test_each_has_a_source_and_a_licence() -> None:
    """SOURCES.md has one row for each file, with author, licence, origin and changes."""
    rows = re.findall(r"^\| `([^`]+\.jpg)` \|(.+)\|$", (DIRECTORY / "SOURCES.md").read_text(), re.M)
    assert sorted(name for name, _ in rows) == FILES
    for name, rest in rows:
        cells = [cell.strip() for cell in rest.split("|")]
        assert len(cells) == 5, name
        assert all(cells), name
        assert any(licence in cells[2] for licence in LICENCES), name


@pytest.mark.parametrize(
    ("size", "name", "cut"),
    [
        ((100, 50), "first", (60, 50)),
        ((100, 50), "last", (60, 50)),
        ((50, 100), "first", (50, 60)),
    ],
)
def test_a_crop_is_a_part_along_the_longer_side(
    size: tuple[int, int], name: str, cut: tuple[int, int]
) -> None:
    """The part keeps its photograph's name, which the statistics go by."""
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    if name == "last":
        image = image.transpose(Image.Transpose.ROTATE_180)
    photograph = Picture("street.jpg", _png(image))
    part = crop(photograph, name)
    assert (part.name, part.photograph) == (f"street-{name}.png", "street.jpg")
    assert part.decode().size == cut
    box = (0, 0, *cut) if name == "first" else (size[0] - cut[0], 0, *size)
    assert part.decode().tobytes() == image.crop(box).tobytes()


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
