"""RGB pixels -> the encoder's input, bit for bit as transformers' BlipImageProcessor makes it."""

import numpy as np
from numpy.typing import NDArray

from server.captioning.arrays import Pixels, PixelValues
from server.captioning.model.manifest import ImageSettings


def to_pixel_values(pixels: Pixels, settings: ImageSettings) -> PixelValues:
    """Rescale and normalize uint8 [height, width, 3] to float32 [1, 3, height, width].

    The order of operations and the intermediate types are those of transformers.image_transforms,
    applied to the 256 levels of a channel instead of every pixel.
    """
    values = np.empty((1, 3, *pixels.shape[:2]), np.float32)
    levels = _levels(settings)
    for channel in range(3):
        # numpy writes directly into `out` only with a mode that can't raise.
        np.take(levels[channel], pixels[..., channel], out=values[0, channel], mode="clip")
    return values


def _levels(settings: ImageSettings) -> NDArray[np.float32]:
    """Return float32 [3, 256]: the value of each of a channel's 256 levels."""
    rescaled = (np.arange(256, dtype=np.float64) * settings.rescale_factor).astype(np.float32)
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    return (rescaled - mean[:, np.newaxis]) / std[:, np.newaxis]
