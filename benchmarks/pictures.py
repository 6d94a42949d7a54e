"""Pictures to upload: files of given sizes, and as many different files of each as are wanted."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

#: Of the texture, in pixels. It repeats, which no one looking at single pixels would notice.
TILE = 256
JPEG_QUALITY = 90
START_OF_IMAGE, COMMENT = b"\xff\xd8", b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Size:
    """In pixels. `texture` is the amplitude of noise, by which JPEG files grow as photos' do."""

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
    """A JPEG file, and the name that its captions are known by."""

    name: str
    jpeg: bytes

    def as_file(self, serial: str) -> bytes:
        """The same picture in a file of its own: to a cache it is new, its caption is the same."""
        text = f"benchmark {serial}".encode()
        segment = COMMENT + (len(text) + 2).to_bytes(2, "big") + text
        return START_OF_IMAGE + segment + self.jpeg.removeprefix(START_OF_IMAGE)


def draw(size: Size, index: int) -> Picture:
    """Soft colours under a fine texture; the same `index` gives the same picture."""
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
