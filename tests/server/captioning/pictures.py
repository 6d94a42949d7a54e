"""Pictures to test with, and files of them."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

#: The options that make each format lossless, or as close to it as the format can be.
SAVING: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def noise(seed: int, width: int = 47, height: int = 31) -> Image.Image:
    """Create RGB noise: no two pixels are alike, and there is no symmetry."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """Save a picture with the options of Image.save, and return the file's bytes."""
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
