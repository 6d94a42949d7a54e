"""RGB picture -> the encoder's input, bit for bit as transformers' BlipImageProcessor makes it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from server.captioning.model.manifest import ImageSettings


def to_pixel_values(picture: Image.Image, settings: ImageSettings) -> NDArray[np.float32]:
    """Resize, rescale, normalise: mode RGB -> float32 [1, 3, height, width].

    The order of operations and the types in between are those of transformers.image_transforms, on
    the 256 levels that a pixel can have instead of every pixel.
    (That library takes pictures of 1 or 3 pixels in height for channels-first; this one doesn't.)
    """
    resampling = Image.Resampling(settings.resample)
    resized = picture.resize((settings.width, settings.height), resampling)
    levels, pixels = _levels(settings), np.asarray(resized)
    values = np.empty((1, 3, settings.height, settings.width), np.float32)
    for channel in range(3):
        # numpy writes straight into `out` only where the mode can't raise.
        np.take(levels[channel], pixels[..., channel], out=values[0, channel], mode="clip")
    return values


def _levels(settings: ImageSettings) -> NDArray[np.float32]:
    """[3, 256]: the value that each of a channel's 256 levels becomes."""
    rescaled = (np.arange(256, dtype=np.float64) * settings.rescale_factor).astype(np.float32)
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    return (rescaled - mean[:, np.newaxis]) / std[:, np.newaxis]
