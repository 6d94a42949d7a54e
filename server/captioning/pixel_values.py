"""RGB picture -> the encoder's input, bit for bit as transformers' BlipImageProcessor makes it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from server.captioning.manifest import ImageSettings


def to_pixel_values(picture: Image.Image, settings: ImageSettings) -> NDArray[np.float32]:
    """Resize, rescale, normalise: mode RGB -> float32 [1, 3, height, width].

    The order of operations and the types in between are those of transformers.image_transforms.
    (That library takes pictures of 1 or 3 pixels in height for channels-first; this one doesn't.)
    """
    resampling = Image.Resampling(settings.resample)
    resized = picture.resize((settings.width, settings.height), resampling)
    rescaled = (np.asarray(resized, np.float64) * settings.rescale_factor).astype(np.float32)
    mean, std = np.array(settings.mean, np.float32), np.array(settings.std, np.float32)
    normalised = (rescaled - mean) / std
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[np.newaxis])
