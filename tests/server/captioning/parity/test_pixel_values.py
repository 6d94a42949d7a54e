"""From a file to the encoder's input, bit for bit as transformers' BlipImageProcessor does it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from transformers import BlipImageProcessor

from server.captioning.image.decode import decode
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.model.manifest import ImageSettings
from tests.server.captioning.manifests import MANIFEST
from tests.server.captioning.pictures import encoded, noise

pytestmark = pytest.mark.parity

SETTINGS = MANIFEST.image


def transformers_pixel_values(picture: Image.Image, settings: ImageSettings) -> Any:
    processor = BlipImageProcessor(
        size={"height": settings.height, "width": settings.width},
        resample=Image.Resampling(settings.resample),
        rescale_factor=settings.rescale_factor,
        image_mean=list(settings.mean),
        image_std=list(settings.std),
    )
    return processor(picture, return_tensors="np")["pixel_values"]


def pixel_values(data: bytes, settings: ImageSettings) -> NDArray[np.float32]:
    return to_pixel_values(PictureDecoder(settings, exact_decode=True)(data), settings)


def assert_equal(data: bytes, settings: ImageSettings = SETTINGS) -> None:
    found = pixel_values(data, settings)
    expected = transformers_pixel_values(decode(data), settings)
    assert found.dtype == np.float32
    assert found.shape == (1, 3, settings.height, settings.width)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


# transformers takes heights of 1 and 3 for channels.
@given(st.integers(1, 200), st.integers(4, 200), st.integers(0, 9))
def test_any_size_equals_transformers(width: int, height: int, seed: int) -> None:
    """Pictures of any size and aspect ratio give transformers' values."""
    assert_equal(encoded(noise(seed, width, height)))


@pytest.mark.parametrize("resample", list(Image.Resampling))
def test_any_resampling_equals_transformers(resample: int) -> None:
    """Pictures are resized with the manifest's filter."""
    assert_equal(encoded(noise(0)), replace(SETTINGS, resample=int(resample)))


def test_any_normalisation_equals_transformers() -> None:
    """Mean, standard deviation and scale are the manifest's."""
    settings = replace(
        SETTINGS, mean=(0.5, 0.1, 0.0), std=(0.5, 1.0, 0.3), rescale_factor=1 / 127.5
    )
    assert_equal(encoded(noise(0)), settings)


def test_a_large_photo_equals_transformers() -> None:
    """A picture of 2 megapixels gives transformers' values at base geometry."""
    assert_equal(encoded(noise(0, 1600, 1200)), replace(SETTINGS, height=384, width=384))


MODES = {
    "1": "PNG",
    "L": "PNG",
    "LA": "PNG",
    "P": "GIF",
    "RGB": "JPEG",
    "RGBA": "PNG",
    "CMYK": "JPEG",
    "YCbCr": "TIFF",
    "I": "TIFF",
    "I;16": "PNG",
    "F": "TIFF",
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_equals_transformers(mode: str) -> None:
    """Files of every mode give transformers' values for their RGB picture."""
    picture = noise(0).convert("L").convert("I") if mode == "I;16" else noise(0)
    data = encoded(picture.convert(mode), MODES[mode])
    assert_equal(data)


@pytest.mark.parametrize("height", [1, 3])
def test_pictures_as_high_as_channels_are_many_are_pictures(height: int) -> None:
    """A picture 1 or 3 pixels high is not taken for channels-first, as transformers takes it."""
    flat, tall = (encoded(Image.new("RGB", (50, each), (10, 20, 30))) for each in (height, 50))
    np.testing.assert_array_equal(pixel_values(flat, SETTINGS), pixel_values(tall, SETTINGS))
