"""Every mode a file can have, as people see it."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from server.captioning.image import decode as images
from server.captioning.image.color import to_rgb
from tests.server.captioning.pictures import encoded


def one_pixel(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (1, 1), colour)


def seen(image: Image.Image, format: str, **options: Any) -> tuple[int, int, int]:
    """The upper left pixel after a round trip through a file of `format`."""
    decoded = images.decode(encoded(image, format, **options))
    pixel = decoded.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("image", "format", "options", "expected"),
    [
        (one_pixel("1", 1), "PNG", {}, (255, 255, 255)),
        (one_pixel("1", 0), "TIFF", {}, (0, 0, 0)),
        (one_pixel("L", 90), "PNG", {}, (90, 90, 90)),
        (one_pixel("L", 90), "JPEG", {"quality": 100}, (90, 90, 90)),
        (one_pixel("RGB", (1, 2, 3)), "BMP", {}, (1, 2, 3)),
        (one_pixel("RGB", (9, 8, 7)).quantize(4), "PNG", {}, (9, 8, 7)),
        (one_pixel("CMYK", (255, 0, 0, 0)), "TIFF", {}, (0, 255, 255)),
        (one_pixel("CMYK", (0, 0, 0, 255)), "TIFF", {}, (0, 0, 0)),
        (one_pixel("YCbCr", (255, 128, 128)), "TIFF", {}, (255, 255, 255)),
        (one_pixel("LAB", (255, 128, 128)), "TIFF", {}, (255, 255, 255)),
        (one_pixel("RGBA", (255, 0, 0, 128)), "PNG", {}, (255, 127, 127)),
        (one_pixel("RGBA", (7, 7, 7, 0)), "PNG", {}, (255, 255, 255)),
        (one_pixel("RGBA", (7, 7, 7, 0)), "TIFF", {}, (255, 255, 255)),
        (one_pixel("RGBA", (7, 7, 7, 0)), "GIF", {}, (255, 255, 255)),
        (one_pixel("RGBA", (7, 7, 7, 0)), "WEBP", {"lossless": True}, (255, 255, 255)),
        (one_pixel("RGBA", (7, 7, 7, 0)), "AVIF", {}, (255, 255, 255)),
        (one_pixel("RGBA", (7, 7, 7, 255)), "PNG", {}, (7, 7, 7)),
        (one_pixel("LA", (0, 0)), "PNG", {}, (255, 255, 255)),
        (one_pixel("LA", (0, 51)), "PNG", {}, (204, 204, 204)),
        (one_pixel("L", 5), "PNG", {"transparency": 5}, (255, 255, 255)),
        (one_pixel("L", 5), "PNG", {"transparency": 6}, (5, 5, 5)),
        (one_pixel("RGB", (1, 2, 3)), "PNG", {"transparency": (1, 2, 3)}, (255, 255, 255)),
        (one_pixel("P", 0), "PNG", {"transparency": 0}, (255, 255, 255)),
        (one_pixel("P", 0), "PNG", {"transparency": b"\x80"}, (127, 127, 127)),
        (one_pixel("I;16", 0), "PNG", {}, (0, 0, 0)),
        (one_pixel("I;16", 65535), "PNG", {}, (255, 255, 255)),
        (one_pixel("I;16", 32896), "PNG", {}, (128, 128, 128)),
        (one_pixel("I;16", 257), "TIFF", {}, (1, 1, 1)),
        (one_pixel("I;16B", 32896), "TIFF", {}, (128, 128, 128)),
        (one_pixel("I", 32896), "TIFF", {}, (128, 128, 128)),
        (one_pixel("I", 200), "TIFF", {}, (200, 200, 200)),
        (one_pixel("F", 0.5), "TIFF", {}, (128, 128, 128)),
        (one_pixel("F", 200.0), "TIFF", {}, (200, 200, 200)),
        (one_pixel("F", float("nan")), "TIFF", {}, (0, 0, 0)),
    ],
    ids=str,
)
def test_a_pixel_looks_as_it_is_meant(
    image: Image.Image, format: str, options: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    """Depth is scaled, not clipped; what is translucent lies on white."""
    assert seen(image, format, **options) == pytest.approx(expected, abs=1)


def test_an_adobe_cmyk_jpeg_is_not_a_negative() -> None:
    """Adobe stores CMYK JPEGs inverted, and so does Pillow."""
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    assert seen(paper, "JPEG", quality=100) == pytest.approx((255, 255, 255), abs=2)


def test_deep_values_beyond_every_convention_are_stretched() -> None:
    """Negative and huge values span black to white, as viewers show them."""
    values = np.array([[-1000.0, 0.0, 1000.0]], np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [0, 128, 255]


def test_values_that_are_no_numbers_are_ignored() -> None:
    """Infinities and NaN do not decide what is black and white."""
    values = np.array([[np.nan, np.inf, -np.inf, 0.0, 1.0]], np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [0, 255, 0, 0, 255]


def test_a_deep_picture_keeps_its_transparency() -> None:
    """Sixteen bits with one transparent grey: a PNG can have that."""
    deep = Image.fromarray(np.array([[1000, 65535, 0]], np.uint16))
    data = encoded(deep, "PNG", transparency=1000)
    assert Image.open(BytesIO(data)).info["transparency"] == 1000
    assert np.asarray(images.decode(data))[0, :, 0].tolist() == [255, 255, 0]


def png(depth: int, colour_type: int, width: int, row: bytes, transparent: bytes) -> bytes:
    """A PNG of one row, of depths that Pillow reads and does not write."""
    header = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"tRNS", transparent),
        (b"IDAT", zlib.compress(b"\0" + row)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("transparent", range(4))
def test_two_bits_with_a_transparent_grey(transparent: int) -> None:
    """In a PNG of four greys any one of them can be transparent."""
    data = png(2, 0, 4, bytes([0b00_01_10_11]), struct.pack(">H", transparent))
    expected = [0, 85, 170, 255]
    expected[transparent] = 255
    assert np.asarray(images.decode(data))[0, :, 0].tolist() == expected


def test_four_bits_with_a_transparent_grey() -> None:
    """In a PNG of sixteen greys the file's own number names the transparent one."""
    data = png(4, 0, 4, bytes([0x05, 0x6F]), struct.pack(">H", 5))
    assert np.asarray(images.decode(data))[0, :, 0].tolist() == [0, 255, 102, 255]


def test_sixteen_bits_a_colour_with_a_transparent_one() -> None:
    """In a deep PNG in colour the transparent one is found by its upper bytes."""
    transparent = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)
    data = png(16, 2, 2, transparent + struct.pack(">HHH", 0x3400, 0x7800, 0xBC00), transparent)
    assert np.asarray(images.decode(data))[0].tolist() == [[255, 255, 255], [0x34, 0x78, 0xBC]]
