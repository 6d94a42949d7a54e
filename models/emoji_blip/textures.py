"""Paint backgrounds: a named color, and a second tint over it in one of several textures."""

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Texture = Literal["plain", "gradient", "stripes", "checks", "dots", "clouds"]
TEXTURES: tuple[Texture, ...] = ("plain", "gradient", "stripes", "checks", "dots", "clouds")

# RGB centers, so far apart that jitter never turns one named color into another.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 40, 45),
    "orange": (240, 140, 35),
    "yellow": (245, 220, 70),
    "green": (70, 165, 75),
    "blue": (55, 105, 210),
    "purple": (130, 60, 165),
    "pink": (245, 160, 195),
    "brown": (120, 75, 40),
    "gray": (130, 130, 130),
    "white": (245, 245, 245),
    "black": (22, 22, 22),
}
COLOUR_NAMES = tuple(COLOURS)


@dataclass(frozen=True, slots=True)
class Background:
    colour: str
    base: tuple[int, int, int]
    tint: tuple[int, int, int]
    texture: Texture
    frequency: float  # repeats over the picture's side
    angle: float  # radians


def sample_background(rng: np.random.Generator) -> Background:
    colour = COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
    base = np.array(COLOURS[colour]) + rng.uniform(-10, 10, 3)
    tint = base + rng.uniform(-22, 22)
    return Background(
        colour=colour,
        base=_rgb(base),
        tint=_rgb(tint),
        texture=TEXTURES[rng.integers(len(TEXTURES))],
        frequency=float(rng.uniform(3, 12)),
        angle=float(rng.uniform(0, np.pi)),
    )


def paint_background(background: Background, side: int, rng: np.random.Generator) -> Image.Image:
    """Return an RGB picture of `side` by `side` pixels."""
    share = (_texture(background, side, rng) * 255).astype(np.uint8)
    return Image.composite(
        Image.new("RGB", (side, side), background.tint),
        Image.new("RGB", (side, side), background.base),
        Image.fromarray(share),
    )


def _rgb(values: NDArray[np.float64]) -> tuple[int, int, int]:
    red, green, blue = values.clip(0, 255).round().astype(int).tolist()
    return red, green, blue


@functools.cache
def _grid(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = np.linspace(0, 1, side, dtype=np.float32)
    return axis[None, :], axis[:, None]


def _texture(background: Background, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the share of the tint in [0, 1], float32 [side, side]."""
    across, down = _grid(side)
    along = across * np.float32(np.cos(background.angle)) + down * np.float32(
        np.sin(background.angle)
    )
    turns = np.float32(2 * np.pi * background.frequency)
    share: NDArray[np.generic]
    match background.texture:
        case "plain":
            share = np.zeros((side, side))
        case "gradient":
            share = np.clip(along, 0, 1)
        case "stripes":
            share = np.sin(along * turns) > 0
        case "checks":
            share = (np.sin(across * turns) > 0) ^ (np.sin(down * turns) > 0)
        case "dots":
            share = np.sin(across * turns) * np.sin(down * turns) > 0.4
        case "clouds":
            share = np.kron(rng.random((8, 8)), np.ones((side // 8 + 1,) * 2))[:side, :side]
    return share.astype(np.float32)
