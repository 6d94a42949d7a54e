"""Whatever is in a file, decoding gives pixels or an error of ours."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.captioning.errors import ImageError, UndecodableImage
from server.captioning.image.picture_decoder import PictureDecoder
from tests.scale import FULL
from tests.server.captioning.image.mutations import mutated
from tests.server.captioning.image.variants import FORMATS, png, variants
from tests.server.captioning.manifests import MANIFEST

TARGET = replace(MANIFEST.image, width=48, height=32)

#: Of each format.
MUTATIONS = 25_000 if FULL else 1000

EXACT, DRAFTED = (
    PictureDecoder(TARGET, max_pixels=300_000, exact_decode=exact) for exact in (True, False)
)


def outcome(decode: PictureDecoder, data: bytes) -> str:
    """Return "pixels" or the name of our error; every other exception leaves this function."""
    try:
        pixels = decode(data)
    except ImageError as error:
        return type(error).__name__
    assert pixels.shape == (32, 48, 3)
    assert pixels.dtype == np.uint8
    return "pixels"


@pytest.mark.parametrize("format", FORMATS)
def test_mutated_files_give_pixels_or_our_errors(format: str) -> None:
    """No damage to a file makes any other exception than an ImageError."""
    chance = random.Random(format)
    files = variants(format)
    outcomes = Counter(
        outcome(decode, mutated(chance.choice(files), format, chance, files))
        for _ in range(MUTATIONS // 2)
        for decode in (EXACT, DRAFTED)
    )
    print(dict(outcomes))
    assert {"pixels", "UndecodableImage", "UnsupportedImageFormat"} <= outcomes.keys()
    assert outcomes.keys() <= {
        "pixels",
        "UndecodableImage",
        "UnsupportedImageFormat",
        "ImageTooLarge",
    }


@pytest.mark.parametrize("format", FORMATS)
def test_the_mutated_files_are_pictures_before(format: str) -> None:
    """Every file that is mutated above decodes to pixels while it is whole."""
    for file in variants(format):
        assert outcome(EXACT, file) == outcome(DRAFTED, file) == "pixels"


def test_the_hostile_set_gives_pixels_or_our_errors(shared: Path) -> None:
    """Pillow's own collection of files that once broke it is decoded or refused."""
    files = sorted((shared / "hostile" / "images").iterdir())
    outcomes = Counter(
        outcome(decode, file.read_bytes()) for file in files for decode in (EXACT, DRAFTED)
    )
    assert outcomes.total() == 2 * len(files) > 400
    assert {"pixels", "UndecodableImage"} <= outcomes.keys()


TRANSPARENCY_AS_TEXT = (b"tEXt", b"transparency\0a")
PALETTE_INDEX_300 = (b"tRNS", b"\xff" * 300 + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        png((4, 1, 2, 0), b"\0\x1b", [TRANSPARENCY_AS_TEXT]),
        png((4, 1, 8, 2), b"\0" + bytes(12), [TRANSPARENCY_AS_TEXT]),
        png((1, 1, 8, 3), b"\0\0", [(b"PLTE", bytes(3)), PALETTE_INDEX_300]),
        png((1, 1, 8, 3), b"\0\0"),
        png((1, 1, 8, 0), b"\0\0")[:33],
    ],
    ids=[
        "text instead of a gray",
        "text instead of a color",
        "transparent palette index 300",
        "no palette",
        "no pixels",
    ],
)
def test_contradictions_that_only_a_conversion_finds_are_undecodable(data: bytes) -> None:
    """A PNG that Pillow opens, and whose fields contradict each other, is a broken picture."""
    with pytest.raises(UndecodableImage):
        EXACT(data)


def a_16_bit_gray_with_a_transparent_color() -> bytes:
    """A PNG whose second header changes its mode after the transparent color was read."""
    color = png((1, 1, 8, 2), b"", [(b"tRNS", bytes(6))])
    gray = png((1, 1, 16, 0), b"\0\0\0")
    return color[: 33 + 18] + gray[8:]


def test_a_second_header_changes_nothing_about_the_first_one_s_fields() -> None:
    """A transparent color that doesn't fit the mode is ignored in a deep picture."""
    assert EXACT(a_16_bit_gray_with_a_transparent_color()).max() == 0
