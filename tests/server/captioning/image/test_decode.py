"""Bytes -> RGB pictures: the formats that are allowed, and the limits on size."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from server.captioning.errors import ImageTooLarge, UndecodableImage, UnsupportedImageFormat
from server.captioning.image.decode import FORMATS, decode
from tests.server.captioning.pictures import SAVING, encoded, noise

NOT_ALLOWED = ["PPM", "TGA", "ICO", "PCX", "EPS", "PDF", "JPEG2000", "SGI", "MSP"]


@pytest.mark.parametrize("format", FORMATS)
def test_allowed_formats_decode(format: str) -> None:
    """Each format gives back the picture that was saved in it."""
    picture = Image.new("RGB", (40, 24), (200, 30, 60))
    decoded = decode(encoded(picture, format, **SAVING[format]))
    assert (decoded.mode, decoded.size) == ("RGB", (40, 24))
    np.testing.assert_allclose(np.asarray(decoded), np.asarray(picture), atol=3)


@pytest.mark.parametrize("format", NOT_ALLOWED)
def test_other_formats_are_refused(format: str) -> None:
    """A format outside the allow-list is refused, although Pillow can read or write it."""
    picture = noise(0, 32, 32).convert("1" if format == "MSP" else "RGB")
    with pytest.raises(UnsupportedImageFormat, match="JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF"):
        decode(encoded(picture, format))


def test_no_other_parser_sees_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow is not asked for formats outside the list: its EPS plugin would start Ghostscript."""
    data = encoded(noise(0), "EPS")
    Image.init()
    asked: list[bytes] = []

    def accept(prefix: bytes) -> bool:
        asked.append(prefix)
        return True

    monkeypatch.setitem(Image.OPEN, "EPS", (Image.OPEN["EPS"][0], accept))
    with pytest.raises(UnsupportedImageFormat):
        decode(data)
    assert asked == []


@pytest.mark.parametrize(
    "data", [b"", b"x", b"hello, world" * 50, b"%PDF-1.7", b"<svg/>", b"\0" * 99]
)
def test_files_that_are_no_picture_are_unsupported(data: bytes) -> None:
    """Text, markup and an empty file are unsupported formats, not broken pictures."""
    with pytest.raises(UnsupportedImageFormat):
        decode(data)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_pictures_are_undecodable(format: str, share: float) -> None:
    """A file cut anywhere behind its signature is a broken picture, not an unknown format."""
    data = encoded(noise(0, 64, 64), format, **SAVING[format])
    with pytest.raises(UndecodableImage):
        decode(data[: max(16, int(len(data) * share))])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP"])
def test_pixels_over_the_limit_are_refused_before_decoding(format: str) -> None:
    """The header alone decides: half a file, which can't be decoded, is too large."""
    data = encoded(noise(0, 64, 64), format, **SAVING[format])
    with pytest.raises(ImageTooLarge, match=r"64 x 64 pixels; at most 4095 in all"):
        decode(data[: len(data) // 2], max_pixels=64 * 64 - 1)


@pytest.mark.parametrize("format", FORMATS)
def test_the_pixel_limit_is_inclusive(format: str) -> None:
    """A picture of exactly the limit is accepted, a picture of one pixel more is not."""
    data = encoded(noise(0, 64, 64), format, **SAVING[format])
    decode(data, max_pixels=64 * 64)
    with pytest.raises(ImageTooLarge):
        decode(data, max_pixels=64 * 64 - 1)


def png_claiming(width: int, height: int) -> bytes:
    """Create a PNG whose header claims a size that its data does not have."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    file = BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(0, 2)
    for kind, content in ((b"IHDR", header), (b"IDAT", b"")):
        PngImagePlugin.putchunk(file, kind, content)
    return file.getvalue()


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (12_000, 12_000)])
def test_decompression_bombs_are_too_large(size: tuple[int, int]) -> None:
    """Sizes between and beyond Pillow's own two limits are too large; at the first one it warns."""
    with pytest.raises(ImageTooLarge):
        decode(png_claiming(*size))


@pytest.mark.parametrize("size", [(1, 40_000_000), (40_000_000, 1)])
def test_pictures_that_are_all_length_are_too_large(size: tuple[int, int]) -> None:
    """A side of millions of pixels is too large: resizing it would take gigabytes."""
    with pytest.raises(ImageTooLarge, match="a side may have at most 65535"):
        decode(png_claiming(*size))


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_pictures_without_pixels_are_undecodable(size: tuple[int, int]) -> None:
    """A picture without height or width is broken."""
    with pytest.raises(UndecodableImage):
        decode(png_claiming(*size))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_animation_shows_its_first_frame(format: str) -> None:
    """Of an animation the first frame is decoded."""
    frames = [Image.new("RGB", (24, 24), color) for color in ("red", "lime", "blue")]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **SAVING[format])
    red, green, blue = np.asarray(decode(data)).mean(axis=(0, 1))
    assert (red > 250, green < 5, blue < 5) == (True, True, True)


def test_a_multi_picture_jpeg_shows_its_first_picture() -> None:
    """Of an MPO file, as phones write it, the first picture is decoded."""
    left, right = (Image.new("RGB", (32, 32), color) for color in ("red", "blue"))
    data = encoded(left, "MPO", save_all=True, append_images=[right], quality=100)
    np.testing.assert_allclose(np.asarray(decode(data)), np.asarray(left), atol=3)


def test_bytes_after_the_picture_do_not_matter() -> None:
    """A file may be padded at its end."""
    np.testing.assert_array_equal(decode(encoded(noise(0)) + b"\0" * 100), noise(0))
