"""Pictures to upload: JPEG files of given sizes, and any number of different files of each."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

#: Side of the repeated texture, in pixels.
TILE = 256
JPEG_QUALITY = 90
START_OF_IMAGE, COMMENT = b"\xff\xd8", b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels, and the amplitude of noise that gives a JPEG file the size of a photo's."""

    name: str
    width: int
    height: int
    texture: int


SIZES = {
    size.name: size
    for size in (
        Size("50 KB", 400, 300, 12),
        Size("200 KB", 800, 600, 12),
        Size("2 MB", 2560, 1920, 12),
        Size("12 MP", 4000, 3000, 8),
    )
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG file and the name by which its captions are verified."""

    name: str
    jpeg: bytes

    def as_file(self, serial: str) -> bytes:
        """Return a file with the same pixels and a comment: a cache key of its own."""
        text = f"benchmark {serial}".encode()
        segment = COMMENT + (len(text) + 2).to_bytes(2, "big") + text
        return START_OF_IMAGE + segment + self.jpeg.removeprefix(START_OF_IMAGE)


def draw(size: Size, index: int) -> Picture:
    """Draw soft colours under a fine texture; an `index` always gives the same picture."""
    rng = np.random.default_rng(index)
    colours = Image.fromarray(rng.integers(256, size=(5, 5, 3), dtype=np.uint8))
    soft = np.asarray(colours.resize((size.width, size.height), Image.Resampling.BICUBIC), np.int16)
    tile = rng.normal(scale=size.texture, size=(TILE, TILE, 1)).astype(np.int16)
    repeats = (-(-size.height // TILE), -(-size.width // TILE), 1)
    texture = np.tile(tile, repeats)[: size.height, : size.width]
    file = BytesIO()
    pixels = np.clip(soft + texture, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return Picture(f"{size.name} {index}", file.getvalue())
