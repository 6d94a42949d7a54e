"""Large JPEGs decoded at a fraction of their scale: how close they come, and what stays exact."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures import SIZES, Size, draw
from server.captioning.errors import ImageError, ImageTooLarge, UndecodableImage
from server.captioning.image import decode as images
from server.captioning.image.jpeg_draft import MARGIN
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
    "grey": (lambda picture: picture.convert("L"), {}),
    "CMYK": (lambda picture: picture.convert("CMYK"), {}),
    "odd sides": (lambda picture: picture.crop((0, 0, 3997, 2995)), {}),
}


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """12 megapixels."""
    return images.decode(draw(SIZES["12 MP"], 0).jpeg)


def small(width: int, height: int) -> Image.Image:
    return images.decode(draw(Size("small", width, height, 8), 0).jpeg)


def checks(width: int, height: int) -> Image.Image:
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(((across // 4 + down // 4) % 2 * 255).astype(np.uint8)).convert("RGB")


def exif_transpose(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def levels(data: bytes, target: ImageSettings, *, exact: bool) -> NDArray[np.int16]:
    """What the model is to see, in 8-bit levels [height, width, 3]."""
    picture = images.decode(data, draft_for=None if exact else target)
    # At less, it was no draft.
    assert exact or picture.size == (target.width, target.height)
    resized = picture.resize((target.width, target.height), Image.Resampling(target.resample))
    return np.asarray(resized, np.int16)


def assert_near(data: bytes, target: ImageSettings) -> None:
    """What server.captioning.image.jpeg_draft states of photos."""
    whole, drafted = (levels(data, target, exact=exact) for exact in (True, False))
    distance = np.abs(whole - drafted)
    assert 0 < distance.max() <= 16
    assert distance.mean() <= 0.7


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_large_jpeg_comes_near_the_full_decode(large: Image.Image, variant: str) -> None:
    """Within the stated distance, however the 12 megapixels are kept."""
    change, options = VARIANTS[variant]
    assert_near(encoded(change(large), "JPEG", quality=90, **options), BASE)


@pytest.mark.parametrize("target", [WIDE, replace(WIDE, width=48, height=97)])
@pytest.mark.parametrize("size", [(701, 501), (501, 701), (640, 639), (1200, 300), (360, 480)])
def test_halves_are_resized_like_the_whole(size: tuple[int, int], target: ImageSettings) -> None:
    """To the last row, and where black and white overshoot."""
    data = encoded(checks(*size), "JPEG", quality=95)
    image = Image.open(BytesIO(data))
    drafted = image.draft(
        None, (math.ceil(MARGIN * target.width), math.ceil(MARGIN * target.height))
    )
    assert drafted
    resampling = Image.Resampling(target.resample)
    whole = image.resize((target.width, target.height), resampling, drafted[1])
    assert np.array_equal(np.asarray(whole), levels(data, target, exact=False))


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no fault of the picture."""
    data = encoded(small(701, 501), "JPEG", quality=90)
    drafted = levels(data, WIDE, exact=False)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("server.captioning.image.jpeg_draft._second_thread.submit", refuse)
    assert np.array_equal(levels(data, WIDE, exact=False), drafted)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_drafts_lie_upright(orientation: int) -> None:
    """Every orientation is undone, and the target's sides are those of the upright picture."""
    data = encoded(small(701, 501), "JPEG", quality=90, exif=exif_transpose(orientation))
    assert_near(data, WIDE)


def test_a_multi_picture_jpeg_is_drafted() -> None:
    """The first picture of an MPO file, as of any JPEG."""
    first = small(800, 600)
    data = encoded(first, "MPO", save_all=True, append_images=[first.rotate(180)])
    assert_near(data, WIDE)


def test_a_draft_leaves_the_margin_on_both_sides() -> None:
    """One pixel short of the margin at half the scale, on either side, and the decode is full."""
    width, height = (int(2 * MARGIN * side) for side in (WIDE.width, WIDE.height))
    for short in ((width - 1, height), (width, height - 1)):
        data = encoded(small(*short), "JPEG")
        np.testing.assert_array_equal(
            images.decode(data, draft_for=WIDE), images.decode(data), strict=True
        )
    assert_near(encoded(small(width, height), "JPEG"), WIDE)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_other_formats_are_decoded_in_full(format: str) -> None:
    """Only JPEG can be decoded at a fraction of its scale."""
    data = encoded(small(800, 600), format)
    np.testing.assert_array_equal(images.decode(data, draft_for=WIDE), images.decode(data))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_large_jpegs_are_undecodable(
    large: Image.Image, progressive: bool, share: float
) -> None:
    """A part of the file is no picture, at a fraction of the scale neither."""
    data = encoded(large, "JPEG", progressive=progressive)
    with pytest.raises(UndecodableImage):
        images.decode(data[: int(len(data) * share)], draft_for=BASE)


@given(st.data())
def test_corrupt_jpegs_give_a_picture_or_our_error(data: st.DataObject) -> None:
    """Whatever is in the file, only an ImageError comes out."""
    content = bytearray(encoded(small(300, 200), "JPEG"))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageError):
        assert images.decode(bytes(content), draft_for=WIDE).mode == "RGB"


def test_the_pixel_limit_is_on_the_whole_picture() -> None:
    """What a draft leaves is no excuse for what the file holds."""
    with pytest.raises(ImageTooLarge, match="800 x 600"):
        images.decode(encoded(small(800, 600), "JPEG"), 800 * 600 - 1, draft_for=WIDE)
