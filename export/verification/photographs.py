"""Provide the photographs that int8 is judged on, and crops of them."""

from io import BytesIO
from pathlib import Path

from export.verification.pictures import Picture, read_pictures

DIRECTORY = Path(__file__).parent / "photographs"

#: Parts along the longer side of a photograph: from and to, as shares of it.
CROPS = {"first": (0.0, 0.6), "last": (0.4, 1.0)}


def read_photographs() -> list[Picture]:
    """Return the shipped photographs, then crops of each.

    Photographs come first, so that the first N pictures show as many things as possible.
    """
    photographs = read_pictures(DIRECTORY)
    crops = [crop(each, name) for name in CROPS for each in photographs]
    return [*photographs, *crops]


def crop(photograph: Picture, name: str) -> Picture:
    """Cut the part `name` of CROPS out of a photograph, without loss."""
    image = photograph.decode()
    begin, end = CROPS[name]
    if image.width >= image.height:
        box = (round(begin * image.width), 0, round(end * image.width), image.height)
    else:
        box = (0, round(begin * image.height), image.width, round(end * image.height))
    file = BytesIO()
    image.crop(box).save(file, "PNG", compress_level=1)
    stem = Path(photograph.name).stem
    return Picture(f"{stem}-{name}.png", file.getvalue(), photograph.name)
