"""Sample scenes of one to three emoji from a seed, render them, and word their captions."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from models.emoji_blip.catalogue import ObjectClass, with_article
from models.emoji_blip.textures import Background, paint_background, sample_background

Layout = Literal["alone", "side", "above", "diagonal", "row"]
LAYOUTS: tuple[Layout, ...] = ("alone", "side", "above", "diagonal", "row")
LAYOUT_SHARES = (0.34, 0.16, 0.12, 0.2, 0.18)


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of one object: center and size as shares of the side, the angle in degrees."""

    object_class: int
    style: int
    x: float
    y: float
    size: float
    angle: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """The content of a picture. `placements` are in the order in which the caption names them."""

    layout: Layout
    placements: tuple[Placement, ...]
    background: Background
    blur: float  # Gaussian radius, as a share of the side
    noise: float  # standard deviation, of 255
    jpeg_quality: int | None
    brightness: float
    seed: int


@dataclass(frozen=True, slots=True)
class Rendered:
    picture: Image.Image
    masks: tuple[Image.Image, ...]  # one "L" coverage mask a placement, as large as the picture


def sample_scene(
    rng: np.random.Generator, classes: int, styles: int, layout: Layout | None = None
) -> Scene:
    layout = layout or LAYOUTS[rng.choice(len(LAYOUTS), p=LAYOUT_SHARES)]
    spots = _sample_spots(rng, layout)
    chosen = rng.choice(classes, size=len(spots), replace=False)
    placements = tuple(
        Placement(
            object_class=int(object_class),
            style=int(rng.integers(styles)),
            x=x,
            y=y,
            size=size,
            angle=float(np.clip(rng.normal(0, 10), -25, 25)),
            mirrored=bool(rng.random() < 0.3),
        )
        for object_class, (x, y, size) in zip(chosen, spots, strict=True)
    )
    return Scene(
        layout=layout,
        placements=placements,
        background=sample_background(rng),
        blur=float(rng.uniform(0, 0.008)) if rng.random() < 0.3 else 0.0,
        noise=float(rng.uniform(0, 14)) if rng.random() < 0.4 else 0.0,
        jpeg_quality=int(rng.integers(40, 96)) if rng.random() < 0.4 else None,
        brightness=float(rng.uniform(0.85, 1.15)),
        seed=int(rng.integers(2**31)),
    )


def describe(scene: Scene, classes: Sequence[ObjectClass]) -> str:
    """Return the caption. The layout alone decides its form, so there is one right caption."""
    phrases = [classes[placement.object_class].phrase for placement in scene.placements]
    ground = f"on {with_article(scene.background.colour)} background"
    match scene.layout:
        case "alone":
            return f"{phrases[0]} {ground}"
        case "side":
            return f"{phrases[0]} to the left of {phrases[1]}"
        case "above":
            return f"{phrases[0]} above {phrases[1]}"
        case "diagonal":
            return f"{phrases[0]} and {phrases[1]} {ground}"
        case "row":
            return f"{phrases[0]}, {phrases[1]} and {phrases[2]}"


def render(scene: Scene, sprites: Sequence[Sequence[Image.Image]], side: int) -> Rendered:
    """Draw a square RGB picture of `side` pixels. `sprites[style][object_class]` are RGBA."""
    rng = np.random.default_rng(scene.seed)
    canvas = paint_background(scene.background, side, rng)
    masks = []
    for placement in scene.placements:
        sprite = _transformed(sprites[placement.style][placement.object_class], placement, side)
        corner = (
            round(placement.x * side - sprite.width / 2),
            round(placement.y * side - sprite.height / 2),
        )
        canvas.paste(sprite, corner, sprite)
        mask = Image.new("L", (side, side))
        mask.paste(sprite.getchannel("A"), corner)
        masks.append(mask)
    return Rendered(_degrade(canvas, scene, rng), tuple(masks))


def _sample_spots(rng: np.random.Generator, layout: Layout) -> list[tuple[float, float, float]]:
    """Return (x, y, size) in caption order. Gaps between layouts keep captions unambiguous."""

    def uniform(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    if layout == "alone":
        return [(uniform(0.38, 0.62), uniform(0.38, 0.62), uniform(0.38, 0.8))]
    if layout == "row":
        return [
            (x + uniform(-0.03, 0.03), uniform(0.3, 0.7), uniform(0.27, 0.36))
            for x in (0.19, 0.5, 0.81)
        ]
    near, far = uniform(0.22, 0.3), uniform(0.7, 0.78)
    sizes = uniform(0.32, 0.5), uniform(0.32, 0.5)
    if layout == "diagonal":
        first, second = (near, far) if rng.random() < 0.5 else (far, near)
        return [(near, first, sizes[0]), (far, second, sizes[1])]
    middle = uniform(0.35, 0.65)
    drift = uniform(-0.05, 0.05)
    if layout == "side":
        return [(near, middle + drift, sizes[0]), (far, middle - drift, sizes[1])]
    return [(middle + drift, near, sizes[0]), (middle - drift, far, sizes[1])]


def _transformed(sprite: Image.Image, placement: Placement, side: int) -> Image.Image:
    if placement.mirrored:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = max(8, round(placement.size * side))
    sprite = sprite.resize((pixels, pixels), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return sprite.rotate(placement.angle, Image.Resampling.BILINEAR, expand=True)


def _degrade(picture: Image.Image, scene: Scene, rng: np.random.Generator) -> Image.Image:
    if scene.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(scene.blur * picture.width))
    picture = picture.point([min(255, round(level * scene.brightness)) for level in range(256)] * 3)
    if scene.noise:
        grain = rng.standard_normal((picture.height, picture.width), dtype=np.float32) * scene.noise
        noisy = np.asarray(picture, dtype=np.int16) + grain.astype(np.int16)[..., None]
        picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    if scene.jpeg_quality is None:
        return picture
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=scene.jpeg_quality)
    return Image.open(buffer).convert("RGB")
