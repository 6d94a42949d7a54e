"""Rescale and normalise pixels, bit for bit as transformers' BlipImageProcessor does."""

import numpy as np
from numpy.typing import NDArray

from server.captioning.arrays import Pixels, PixelValues
from server.captioning.model.manifest import ImageSettings


def to_pixel_values(pixels: Pixels, settings: ImageSettings) -> PixelValues:
    """Convert RGB uint8 [height, width, 3] to the encoder's input float32 [1, 3, height, width].

    The operations, their order and the types between them are those of
    transformers.image_transforms 4.57. They run on the 256 levels that a pixel can have instead of
    on every pixel.
    """
    height, width, channels = pixels.shape
    levels = _levels(settings)
    values = np.empty((1, channels, height, width), np.float32)
    for channel in range(channels):
        # numpy writes into `out` without a copy only in a mode that can't raise.
        np.take(levels[channel], pixels[..., channel], out=values[0, channel], mode="clip")
    return values


def _levels(settings: ImageSettings) -> NDArray[np.float32]:
    """Return [3, 256]: the value that each of the 256 levels becomes in each channel."""
    rescaled = (np.arange(256, dtype=np.float64) * settings.rescale_factor).astype(np.float32)
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    return (rescaled - mean[:, np.newaxis]) / std[:, np.newaxis]
