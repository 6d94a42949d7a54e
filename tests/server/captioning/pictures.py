"""Pictures to test with, and their bytes."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image


def noise(seed: int, width: int = 47, height: int = 31) -> Image.Image:
    """RGB noise: no two pixels alike, no symmetry."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
