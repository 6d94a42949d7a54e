"""Large JPEGs decoded at a fraction of their scale: how close they come, and what stays exact."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import SIZES, Size, draw
from server.captioning.errors import UndecodableImage
from server.captioning.image.decode import decode
from server.captioning.image.jpeg_draft import MARGIN
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.model.manifest import ImageSettings
from tests.server.captioning.manifests import MANIFEST
from tests.server.captioning.pictures import encoded

BASE = replace(MANIFEST.image, width=384, height=384)

#: Wider than high, unlike the pictures when they lie upright.
WIDE = replace(MANIFEST.image, width=96, height=48)

ORIENTATION = 0x0112

VARIANTS: dict[str, tuple[Callable[[Image.Image], Image.Image], dict[str, Any]]] = {
    "plain": (lambda picture: picture, {}),
    "progressive": (lambda picture: picture, {"progressive": True}),
    "full chroma": (lambda picture: picture, {"subsampling": 0}),
    "gray": (lambda picture: picture.convert("L"), {}),
    "CMYK": (lambda picture: picture.convert("CMYK"), {}),
    "odd sides": (lambda picture: picture.crop((0, 0, 3997, 2995)), {}),
}


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """12 megapixels."""
    return decode(draw(SIZES["12 MP"], 0).jpeg)


def small(width: int, height: int) -> Image.Image:
    return decode(draw(Size("small", width, height, 8), 0).jpeg)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def pixels(data: bytes, target: ImageSettings, *, exact: bool) -> NDArray[np.int16]:
    """Decode to 8-bit levels [height, width, 3], in a type that differences can be taken of."""
    return PictureDecoder(target, exact_decode=exact)(data).astype(np.int16)


def assert_near(data: bytes, target: ImageSettings) -> None:
    """Check the distance that server.captioning.image.jpeg_draft states for photos."""
    whole, drafted = (pixels(data, target, exact=exact) for exact in (True, False))
    distance = np.abs(whole - drafted)
    assert 0 < distance.max() <= 16
    assert distance.mean() <= 0.7


def assert_exact(data: bytes) -> None:
    found, expected = (pixels(data, WIDE, exact=exact) for exact in (False, True))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_large_jpeg_comes_near_the_full_decode(large: Image.Image, variant: str) -> None:
    """Every kind of JPEG of 12 megapixels stays within the stated distance."""
    change, options = VARIANTS[variant]
    assert_near(encoded(change(large), "JPEG", quality=90, **options), BASE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_drafts_lie_upright(orientation: int) -> None:
    """Every orientation is undone, and the target's sides are those of the upright picture."""
    data = encoded(small(701, 501), "JPEG", quality=90, exif=exif(orientation))
    assert_near(data, WIDE)


def test_a_multi_picture_jpeg_is_drafted() -> None:
    """The first picture of an MPO file is drafted like any JPEG."""
    first = small(800, 600)
    data = encoded(first, "MPO", save_all=True, append_images=[first.rotate(180)])
    assert_near(data, WIDE)


def test_a_draft_leaves_the_margin_on_both_sides() -> None:
    """A JPEG one pixel short of the margin at half the scale is decoded in full."""
    width, height = (int(2 * MARGIN * side) for side in (WIDE.width, WIDE.height))
    for short in ((width - 1, height), (width, height - 1)):
        assert_exact(encoded(small(*short), "JPEG"))
    assert_near(encoded(small(width, height), "JPEG"), WIDE)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_decoded_in_full(format: str) -> None:
    """Formats other than JPEG are decoded in full, however large the picture is."""
    assert_exact(encoded(small(800, 600), format))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_large_jpegs_are_undecodable(
    large: Image.Image, progressive: bool, share: float
) -> None:
    """A cut file is refused at a fraction of the scale too."""
    data = encoded(large, "JPEG", progressive=progressive)
    with pytest.raises(UndecodableImage):
        pixels(data[: int(len(data) * share)], BASE, exact=False)
