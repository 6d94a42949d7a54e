"""Draw the pictures in `examples/`: `python -m models.emoji_blip.examples`.

The name of each file is the expected caption.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.emoji_blip.art import TRAINING_STYLES, load_sprites
from models.emoji_blip.catalogue import read_catalogue
from models.emoji_blip.scenes import Layout, Scene, describe, render, sample_scene

EXAMPLES = Path(__file__).with_name("examples")
SIDE = 320
SEED = 40_001
SHOWN: tuple[tuple[Layout, tuple[str, ...]], ...] = (
    ("alone", ("red apple",)),
    ("alone", ("penguin",)),
    ("alone", ("pizza",)),
    ("alone", ("rocket",)),
    ("side", ("dog", "tree")),
    ("side", ("tractor", "castle")),
    ("above", ("butterfly", "sunflower")),
    ("above", ("helicopter", "sailboat")),
    ("diagonal", ("red apple", "cat")),
    ("diagonal", ("guitar", "trophy")),
    ("row", ("panda", "balloon", "strawberry")),
)


def scene_of(layout: Layout, names: tuple[str, ...], seed: int) -> Scene:
    """Return a scene of `layout` that shows the objects called `names`."""
    numbers = {object_class.name: number for number, object_class in enumerate(read_catalogue())}
    rng = np.random.default_rng([SEED, seed])
    scene = sample_scene(rng, len(numbers), len(TRAINING_STYLES), layout)
    placements = zip(scene.placements, names, strict=True)
    return replace(
        scene,
        placements=tuple(replace(spot, object_class=numbers[name]) for spot, name in placements),
    )


def main() -> None:
    classes = read_catalogue()
    sprites = [load_sprites(style, classes) for style in TRAINING_STYLES]
    EXAMPLES.mkdir(exist_ok=True)
    for seed, (layout, names) in enumerate(SHOWN):
        scene = scene_of(layout, names, seed)
        stem = describe(scene, classes).replace(",", "").replace(" ", "-")
        suffix = "png" if scene.jpeg_quality is None else "jpg"
        picture = render(scene, sprites, SIDE).picture
        picture.save(EXAMPLES / f"{stem}.{suffix}", quality=90)
        print(f"{stem}.{suffix}")


if __name__ == "__main__":
    main()
