"""Every mode that a file can have becomes the RGB that people see."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from server.captioning.image.color import to_rgb
from server.captioning.image.decode import decode
from tests.server.captioning.image.variants import png
from tests.server.captioning.pictures import encoded


def one_pixel(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (1, 1), color)


def seen(image: Image.Image, format: str, **options: Any) -> tuple[int, int, int]:
    """Return the upper left pixel after a round trip through a file of `format`."""
    decoded = decode(encoded(image, format, **options))
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
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_a_pixel_looks_as_it_is_meant(
    image: Image.Image, format: str, options: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    """Depth is scaled, not clipped, and transparency is put over white."""
    assert seen(image, format, **options) == pytest.approx(expected, abs=1)


def test_an_adobe_cmyk_jpeg_is_not_a_negative() -> None:
    """CMYK JPEGs, which Adobe and Pillow store inverted, come as they look."""
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    assert seen(paper, "JPEG", quality=100) == pytest.approx((255, 255, 255), abs=2)


def test_deep_values_beyond_every_convention_are_stretched() -> None:
    """Negative and huge values span black to white, as viewers show them."""
    values = np.array([[-1000.0, 0.0, 1000.0]], np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([-3e38, 3e38], [0, 255]), ([-1e-45, 0.0], [0, 255])],
    ids=["greatest span", "least span"],
)
def test_the_limits_of_float32_are_scaled(values: list[float], expected: list[int]) -> None:
    """Neither the greatest nor the least span of values makes the scale overflow."""
    picture = Image.fromarray(np.array([values], np.float32))
    assert np.asarray(to_rgb(picture))[0, :, 0].tolist() == expected


def test_values_that_are_no_numbers_are_ignored() -> None:
    """Infinities and NaN do not decide which values are black and white."""
    values = np.array([[np.nan, np.inf, -np.inf, 0.0, 1.0]], np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [0, 255, 0, 0, 255]


def test_a_deep_picture_keeps_its_transparency() -> None:
    """A 16-bit PNG with one transparent gray has that gray over white."""
    deep = Image.fromarray(np.array([[1000, 65535, 0]], np.uint16))
    data = encoded(deep, "PNG", transparency=1000)
    assert Image.open(BytesIO(data)).info["transparency"] == 1000
    assert np.asarray(decode(data))[0, :, 0].tolist() == [255, 255, 0]


@pytest.mark.parametrize("transparent", range(4))
def test_two_bits_with_a_transparent_gray(transparent: int) -> None:
    """In a PNG of 4 grays any one of them can be transparent."""
    data = png((4, 1, 2, 0), b"\0\x1b", [(b"tRNS", struct.pack(">H", transparent))])
    expected = [0, 85, 170, 255]
    expected[transparent] = 255
    assert np.asarray(decode(data))[0, :, 0].tolist() == expected


def test_four_bits_with_a_transparent_gray() -> None:
    """In a PNG of 16 grays the transparent one is given in 4 bits."""
    data = png((4, 1, 4, 0), b"\0\x05\x6f", [(b"tRNS", struct.pack(">H", 5))])
    assert np.asarray(decode(data))[0, :, 0].tolist() == [0, 255, 102, 255]


def test_sixteen_bits_with_a_transparent_color() -> None:
    """In a 16-bit color PNG the transparent color is found by its upper bytes."""
    transparent = struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)
    row = b"\0" + transparent + struct.pack(">HHH", 0x3400, 0x7800, 0xBC00)
    data = png((2, 1, 16, 2), row, [(b"tRNS", transparent)])
    assert np.asarray(decode(data))[0].tolist() == [[255, 255, 255], [0x34, 0x78, 0xBC]]
