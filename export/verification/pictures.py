"""Provide the pictures to compare captions on: those of a directory, or generated ones."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.errors import PictureError
from server.captioning.errors import ImageError
from server.captioning.image import decode as images

Pixels = NDArray[np.uint8]

# Modes and formats of generated pictures cover every conversion of the runtime to RGB.
ENCODINGS = (
    ("RGB", "PNG"),
    ("RGB", "JPEG"),
    ("L", "PNG"),
    ("RGBA", "PNG"),
    ("P", "GIF"),
    ("CMYK", "JPEG"),
    ("RGB", "WEBP"),
    ("I;16", "PNG"),
)

# Seconds per caption, in transformers and in the runtime together, on two cores: a line above most
# measured points. 0.8 million parameters took 0.024 s, 4.1 million 0.12 s, 37 million 0.82 s, 224
# million 7 s, 446 million 8 s.
SECONDS, SECONDS_PER_PARAMETER = 0.06, 22e-9
DEFAULT_SECONDS = 60.0
MIN_PICTURES, MAX_PICTURES = 2, 100


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file. `crop_of` names the photograph that it was cut from, if it was."""

    name: str
    data: bytes  # the content of an image file
    crop_of: str | None = None

    @property
    def photograph(self) -> str:
        """Name the photograph that the picture shows, or a part of."""
        return self.crop_of or self.name

    def decode(self) -> Image.Image:
        """Decode to the RGB picture that both transformers and the runtime get."""
        return images.decode(self.data)


def read_pictures(directory: Path) -> list[Picture]:
    """Return the pictures in `directory`, sorted by name. Other files are skipped.

    Raises PictureError for a directory that is missing or without pictures, or a broken picture.
    """
    if not directory.is_dir():
        raise PictureError(f"--images {directory} is not a directory; name one with pictures.")
    supported = {
        name for name, kind in Image.registered_extensions().items() if kind in images.FORMATS
    }
    paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in supported)
    if not paths:
        kinds = ", ".join(sorted(images.FORMATS))
        raise PictureError(f"--images {directory} has no pictures; add some in {kinds} format.")
    return [_read(path) for path in paths]


def _read(path: Path) -> Picture:
    try:
        picture = Picture(path.name, path.read_bytes())
        picture.decode()
    except OSError as exc:
        raise PictureError(
            f"{path} can't be read: {exc.strerror}; make it readable or remove it."
        ) from exc
    except ImageError as exc:
        raise PictureError(f"{path} can't be used: {exc} Replace or remove it.") from exc
    return picture


def default_count(parameters: int, captions_per_picture: int) -> int:
    """Return the number of pictures that are compared in about a minute on two cores.

    It depends on the size of the model alone, so that every machine compares the same captions.
    """
    seconds = (SECONDS + SECONDS_PER_PARAMETER * parameters) * captions_per_picture
    return min(max(round(DEFAULT_SECONDS / seconds), MIN_PICTURES), MAX_PICTURES)


def generate_pictures(count: int) -> list[Picture]:
    """Generate gradients, shapes and noise in many sizes and modes. The result is deterministic."""
    return [_generate(index) for index in range(count)]


def _generate(index: int) -> Picture:
    rng = np.random.default_rng(index)
    draw = (draw_gradient, draw_shapes, draw_noise)[index % 3]
    mode, kind = ENCODINGS[index % len(ENCODINGS)]
    height, width = (int(side) for side in rng.integers(24, 480, size=2))
    picture = Image.fromarray(draw(rng, height, width))
    if mode == "RGBA":
        picture.putalpha(Image.fromarray(draw_gradient(rng, height, width)[..., 0]))
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    file = BytesIO()
    picture.save(file, kind)
    return Picture(f"{draw.__name__[5:]}-{index:03}.{kind.lower()}", file.getvalue())


def draw_gradient(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Return [height, width, 3]: a blend of four corner colours."""
    corners = rng.integers(256, size=(2, 2, 3))
    down, across = np.linspace(0, 1, height), np.linspace(0, 1, width)
    rows = np.stack([1 - down, down], axis=1)
    columns = np.stack([1 - across, across], axis=1)
    blend: Pixels = np.einsum("yi,xj,ijc->yxc", rows, columns, corners).astype(np.uint8)
    return blend


def draw_shapes(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Return [height, width, 3]: ellipses and boxes in plain colours."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = rng.integers(256, size=3)
    y, x = np.mgrid[:height, :width] / np.array([[[height]], [[width]]])
    for _ in range(rng.integers(1, 5)):
        centre_y, centre_x = rng.random(2)
        radius_y, radius_x = rng.uniform(0.1, 0.5, size=2)
        order = rng.choice([2, 16])  # exponent of the superellipse: round, or nearly a box
        inside = (
            abs((y - centre_y) / radius_y) ** order + abs((x - centre_x) / radius_x) ** order < 1
        )
        pixels[inside] = rng.integers(256, size=3)
    return pixels


def draw_noise(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """Return [height, width, 3]: independent values."""
    return rng.integers(256, size=(height, width, 3), dtype=np.uint8)
