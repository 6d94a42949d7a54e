"""Bytes to upright pictures: formats, limits, orientation, and files that are broken."""

import struct
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from server.captioning.errors import (
    ImageError,
    ImageTooLarge,
    UndecodableImage,
    UnsupportedImageFormat,
)
from server.captioning.image import decode as images
from tests.server.captioning.pictures import encoded, noise

#: How to save each format without loss, where it can.
SAVING: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
NOT_ALLOWED = ["PPM", "TGA", "ICO", "PCX", "EPS", "PDF", "JPEG2000", "SGI", "MSP"]
ORIENTATION = 0x0112


@pytest.mark.parametrize("format", images.FORMATS)
def test_allowed_formats_decode(format: str) -> None:
    """Each format gives its picture, as closely as it keeps it."""
    picture = Image.new("RGB", (40, 24), (200, 30, 60))
    decoded = images.decode(encoded(picture, format, **SAVING[format]))
    assert (decoded.mode, decoded.size) == ("RGB", (40, 24))
    np.testing.assert_allclose(np.asarray(decoded), np.asarray(picture), atol=3)


@pytest.mark.parametrize("format", NOT_ALLOWED)
def test_other_formats_are_refused(format: str) -> None:
    """Pillow could read or write them; this server's allow-list has no place for them."""
    picture = noise(0, 32, 32).convert("1" if format == "MSP" else "RGB")
    with pytest.raises(UnsupportedImageFormat, match="JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF"):
        images.decode(encoded(picture, format))


def test_no_other_parser_sees_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """EPS would start Ghostscript; its parser is not even asked."""
    data = encoded(noise(0), "EPS")
    Image.init()
    asked: list[bytes] = []

    def accept(prefix: bytes) -> bool:
        asked.append(prefix)
        return True

    monkeypatch.setitem(Image.OPEN, "EPS", (Image.OPEN["EPS"][0], accept))
    with pytest.raises(UnsupportedImageFormat):
        images.decode(data)
    assert asked == []


@pytest.mark.parametrize(
    "data", [b"", b"x", b"hello, world" * 50, b"%PDF-1.7", b"<svg/>", b"\0" * 99]
)
def test_files_that_are_no_picture_are_unsupported(data: bytes) -> None:
    """Text, markup and emptiness are told from broken pictures."""
    with pytest.raises(UnsupportedImageFormat):
        images.decode(data)


@pytest.mark.parametrize("format", images.FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_pictures_are_undecodable(format: str, share: float) -> None:
    """Wherever the file ends, it is a broken picture, not an unknown format."""
    data = encoded(noise(0, 64, 64), format, **SAVING[format])
    with pytest.raises(UndecodableImage):
        images.decode(data[: max(16, int(len(data) * share))])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP"])
def test_pixels_over_the_limit_are_refused_before_decoding(format: str) -> None:
    """Half a file is enough to tell; decoding it would have been UndecodableImage."""
    data = encoded(noise(0, 64, 64), format, **SAVING[format])
    with pytest.raises(ImageTooLarge, match=r"64 x 64 pixels; at most 4095 in all"):
        images.decode(data[: len(data) // 2], max_pixels=64 * 64 - 1)


@pytest.mark.parametrize("format", images.FORMATS)
def test_the_pixel_limit_is_inclusive(format: str) -> None:
    """At the limit a picture passes, one pixel over it doesn't."""
    data = encoded(noise(0, 64, 64), format, **SAVING[format])
    images.decode(data, max_pixels=64 * 64)
    with pytest.raises(ImageTooLarge):
        images.decode(data, max_pixels=64 * 64 - 1)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its data does not have."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    file = BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(0, 2)
    for kind, content in ((b"IHDR", header), (b"IDAT", b"")):
        PngImagePlugin.putchunk(file, kind, content)
    return file.getvalue()


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (12_000, 12_000)])
def test_decompression_bombs_are_too_large(size: tuple[int, int]) -> None:
    """Below, between and beyond Pillow's own limits, of which one only warns."""
    with pytest.raises(ImageTooLarge):
        images.decode(png_claiming(*size))


@pytest.mark.parametrize("size", [(1, 40_000_000), (40_000_000, 1)])
def test_pictures_that_are_all_length_are_too_large(size: tuple[int, int]) -> None:
    """Few pixels on one long line would still take gigabytes to resize."""
    with pytest.raises(ImageTooLarge, match="a side may have at most 65535"):
        images.decode(png_claiming(*size))


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_pictures_without_pixels_are_undecodable(size: tuple[int, int]) -> None:
    """There is nothing to resize."""
    with pytest.raises(UndecodableImage):
        images.decode(png_claiming(*size))


#: As EXIF defines them: how the stored rows lie when the upright picture is `upright`.
STORED: dict[int, Callable[[Any], Any]] = {
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
    """Eight orientations, one picture, to the pixel."""
    # Blocks of one colour are something that JPEG keeps in any orientation.
    upright = np.asarray(noise(0, 5, 3)).repeat(8, axis=0).repeat(8, axis=1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    decoded = images.decode(encoded(stored, format, exif=exif, **SAVING[format]))
    np.testing.assert_allclose(
        np.asarray(decoded, np.int16), upright, atol=2 if format == "JPEG" else 0
    )


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01",
        b"Exif\0\0garbage" * 9,
        b"Exif\0\0II*\0\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_cost_the_picture(format: str, exif: bytes) -> None:
    """A picture whose metadata can't be read is shown as it is stored."""
    plain = encoded(noise(0), format, **SAVING[format])
    broken = encoded(noise(0), format, exif=exif, **SAVING[format])
    np.testing.assert_array_equal(images.decode(broken), images.decode(plain))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist_change_nothing(orientation: int) -> None:
    """EXIF has eight."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    np.testing.assert_array_equal(images.decode(encoded(noise(0), exif=exif)), noise(0))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_animation_shows_its_first_frame(format: str) -> None:
    """Later frames are neither shown nor decoded."""
    frames = [Image.new("RGB", (24, 24), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **SAVING[format])
    red, green, blue = np.asarray(images.decode(data)).mean(axis=(0, 1))
    assert (red > 250, green < 5, blue < 5) == (True, True, True)


def test_a_multi_picture_jpeg_shows_its_first_picture() -> None:
    """Phones write MPO files, which start like a JPEG and are called one."""
    left, right = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    data = encoded(left, "MPO", save_all=True, append_images=[right], quality=100)
    np.testing.assert_allclose(np.asarray(images.decode(data)), np.asarray(left), atol=3)


def test_bytes_after_the_picture_do_not_matter() -> None:
    """Some writers pad their files."""
    np.testing.assert_array_equal(images.decode(encoded(noise(0)) + b"\0" * 100), noise(0))


@given(st.sampled_from(sorted(SAVING)), st.data())
def test_corrupt_bytes_give_a_picture_or_our_error(format: str, data: st.DataObject) -> None:
    """Whatever Pillow raises or warns of, only an ImageError comes out."""
    content = bytearray(encoded(noise(0, 16, 16), format, **SAVING[format]))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageError):
        assert images.decode(bytes(content), max_pixels=10_000).mode == "RGB"


def test_the_hostile_set_gives_pictures_or_our_errors(shared: Path) -> None:
    """Pillow's own collection of files that once broke it."""
    files = sorted((shared / "hostile" / "images").iterdir())
    outcomes = []
    for file in files:
        try:
            outcomes.append(images.decode(file.read_bytes()).mode)
        except ImageError as error:
            outcomes.append(type(error).__name__)
    assert set(outcomes) <= {
        "RGB",
        "UnsupportedImageFormat",
        "UndecodableImage",
        "ImageTooLarge",
    }
    assert len(outcomes) == len(files) > 200


def test_photos_lie_upright(shared: Path) -> None:
    """Landscape_6.jpg is stored turned, Landscape_1.jpg is not: people see the same."""
    straight, turned = (
        np.asarray(images.decode((shared / "photos" / name).read_bytes()), np.int16)
        for name in ("Landscape_1.jpg", "Landscape_6.jpg")
    )
    assert straight.shape == turned.shape
    difference, upside_down = (
        np.abs(straight - other).mean() for other in (turned, turned[::-1, ::-1])
    )
    assert difference < upside_down / 3
