"""Pictures come upright, as their EXIF says, and broken EXIF costs no picture."""

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from server.captioning.image.decode import decode
from server.captioning.image.picture_decoder import PictureDecoder
from tests.scale import FULL
from tests.server.captioning.image.mutations import with_other_entries
from tests.server.captioning.image.variants import exif
from tests.server.captioning.manifests import MANIFEST
from tests.server.captioning.pictures import SAVING, encoded, noise

ORIENTATION = 0x0112

MUTATIONS = 20_000 if FULL else 500

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

#: EXIF orientation -> how the stored rows lie when the upright picture is `upright`.
STORED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_gives_the_upright_picture(format: str, orientation: int) -> None:
    """Eight orientations give one picture, to the pixel."""
    # JPEG keeps blocks of one color in any orientation.
    upright = np.asarray(noise(0, 5, 3)).repeat(8, axis=0).repeat(8, axis=1)
    block = Image.Exif()
    block[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    decoded = decode(encoded(stored, format, exif=block, **SAVING[format]))
    np.testing.assert_allclose(
        np.asarray(decoded, np.int16), upright, atol=2 if format == "JPEG" else 0
    )


BROKEN = {
    "nothing": b"Exif\0\0",
    "no directory": b"Exif\0\0MM\0*\0\0\0\x08\0\x01",
    "no TIFF": b"Exif\0\0garbage" * 9,
    "a directory beyond the end": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "a BigTIFF header that is cut": b"Exif\0\0II+\0\x08\0\0\0",
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_cost_the_picture(format: str, broken: str) -> None:
    """A picture whose EXIF can't be read is shown as it is stored."""
    plain = encoded(noise(0), format, **SAVING[format])
    damaged = encoded(noise(0), format, exif=BROKEN[broken], **SAVING[format])
    np.testing.assert_array_equal(decode(damaged), decode(plain))


@pytest.mark.parametrize("name", ["exif", "xmp", "Raw profile type exif"])
@pytest.mark.parametrize("text", ["", "abc", "\n\n\nxyz", "\n\n\n" + b"Exif\0\0MM\0*".hex()])
@pytest.mark.parametrize("compressed", [True, False])
def test_text_in_the_place_of_exif_does_not_cost_the_picture(
    name: str, text: str, compressed: bool
) -> None:
    """Any text chunk of a PNG may have the name that Pillow keeps EXIF or XMP under."""
    info = PngImagePlugin.PngInfo()
    info.add_text(name, text, zip=compressed)
    np.testing.assert_array_equal(decode(encoded(noise(0), pnginfo=info)), noise(0))


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_mutated_exif_does_not_cost_the_picture(format: str) -> None:
    """Whatever is in the EXIF block, the picture comes in one of its eight orientations."""
    chance = random.Random(format)
    pixels = np.asarray(noise(0, 6, 4))
    possible = {np.ascontiguousarray(turn(pixels)).tobytes() for turn in STORED.values()}
    orientations = set()
    for _ in range(MUTATIONS):
        block = bytearray(exif(chance.randint(1, 8), chance.choice("<>")))
        if chance.random() < 0.7:
            block = bytearray(with_other_entries(bytes(block), chance))
        for _ in range(chance.choice((0, 1, 5))):
            block[chance.randrange(len(block))] = chance.randrange(256)
        # WebP's writer takes no empty block.
        block = block[: chance.choice((len(block), chance.randint(8, len(block))))]
        data = encoded(noise(0, 6, 4), format, exif=bytes(block), **SAVING[format])
        orientations.add(np.asarray(decode(data)).tobytes())
    assert orientations == possible


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist_change_nothing(orientation: int) -> None:
    """EXIF has the orientations 1 to 8."""
    block = Image.Exif()
    block[ORIENTATION] = orientation
    np.testing.assert_array_equal(decode(encoded(noise(0), exif=block)), noise(0))


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [(2, 2, b"6\0\0\0"), (11, 1, struct.pack(">f", 6))],
    ids=["text", "float"],
)
def test_an_orientation_of_another_type_changes_nothing(
    kind: int, count: int, value: bytes
) -> None:
    """An orientation that is not an integer counts as none."""
    block = bytearray(exif(6))
    at = block.index(struct.pack(">HH", ORIENTATION, 3))
    struct.pack_into(">HHI4s", block, at, ORIENTATION, kind, count, value)
    np.testing.assert_array_equal(decode(encoded(noise(0), exif=bytes(block))), noise(0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_decoder_gives_upright_pixels(orientation: int) -> None:
    """The pixels for the model are those of the upright picture, exact or drafted."""
    upright = np.zeros((160, 240, 3), np.uint8)
    upright[:80, :120] = 255  # the upper left quarter
    block = Image.Exif()
    block[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    data = encoded(stored, "JPEG", exif=block)
    for exact in (True, False):
        pixels = PictureDecoder(MANIFEST.image, exact_decode=exact)(data)
        quarters = pixels[4:12, 4:20], pixels[4:12, 28:44], pixels[20:28, 4:20], pixels[20:28, 28:]
        assert [int(quarter.mean()) > 128 for quarter in quarters] == [True, False, False, False]


def test_photos_come_upright(shared: Path) -> None:
    """Landscape_6.jpg is stored on its side, Landscape_1.jpg is not: people see the same."""
    straight, transposed = (
        np.asarray(decode((shared / "photos" / name).read_bytes()), np.int16)
        for name in ("Landscape_1.jpg", "Landscape_6.jpg")
    )
    assert straight.shape == transposed.shape
    difference, upside_down = (
        np.abs(straight - other).mean() for other in (transposed, transposed[::-1, ::-1])
    )
    assert difference < upside_down / 3
