"""The pictures that captions are compared on: a directory's, or generated ones."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.errors import PictureError
from server.captioning import images
from server.captioning.errors import ImageError

Pixels = NDArray[np.uint8]

# Mode and format of generated pictures: every way that the runtime turns a file into RGB.
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


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    data: bytes  # an image file's

    def decode(self) -> Image.Image:
        """The RGB picture that both transformers and the runtime are to see."""
        return images.decode(self.data)


def read_pictures(directory: Path) -> list[Picture]:
    """Every picture in `directory`, by name; other files are passed over.

    Raises PictureError for a directory that is missing or without pictures, or a broken picture.
    """
    if not directory.is_dir():
        raise PictureError(f"--images {directory} is no directory.")
    supported = {
        name for name, kind in Image.registered_extensions().items() if kind in images.FORMATS
    }
    paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in supported)
    if not paths:
        raise PictureError(f"--images {directory} has no pictures in it.")
    return [_read(path) for path in paths]


def _read(path: Path) -> Picture:
    try:
        picture = Picture(path.name, path.read_bytes())
        picture.decode()
    except OSError as exc:
        raise PictureError(f"{path} can't be read: {exc.strerror}.") from exc
    except ImageError as exc:
        raise PictureError(f"{path} can't be used: {exc}") from exc
    return picture


def generate_pictures(count: int) -> list[Picture]:
    """Gradients, shapes and noise in many sizes and modes; the same ones every time."""
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
    """[height, width, 3]: a blend of four corner colours."""
    corners = rng.integers(256, size=(2, 2, 3))
    down, across = np.linspace(0, 1, height), np.linspace(0, 1, width)
    rows = np.stack([1 - down, down], axis=1)
    columns = np.stack([1 - across, across], axis=1)
    blend: Pixels = np.einsum("yi,xj,ijc->yxc", rows, columns, corners).astype(np.uint8)
    return blend


def draw_shapes(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """[height, width, 3]: ellipses and boxes of plain colours."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = rng.integers(256, size=3)
    y, x = np.mgrid[:height, :width] / np.array([[[height]], [[width]]])
    for _ in range(rng.integers(1, 5)):
        centre_y, centre_x = rng.random(2)
        radius_y, radius_x = rng.uniform(0.1, 0.5, size=2)
        order = rng.choice([2, 16])  # a superellipse's: round, or nearly a box
        inside = (
            abs((y - centre_y) / radius_y) ** order + abs((x - centre_x) / radius_x) ** order < 1
        )
        pixels[inside] = rng.integers(256, size=3)
    return pixels


def draw_noise(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """[height, width, 3]: every value its own."""
    return rng.integers(256, size=(height, width, 3), dtype=np.uint8)
