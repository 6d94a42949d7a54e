import numpy as np
import pytest
from PIL import Image

from models.emoji_blip.catalogue import ObjectClass, read_catalogue, with_article
from models.emoji_blip.scenes import LAYOUTS, Layout, Scene, describe, render, sample_scene

CLASSES = (
    ObjectClass("1f431", "cat"),
    ObjectClass("1f989", "owl"),
    ObjectClass("1f34e", "red apple"),
)
SPRITES = [[Image.new("RGBA", (64, 64), colour) for colour in ("black", "white", "red")]]


def scene_of(layout: Layout, seed: int = 0) -> Scene:
    return sample_scene(np.random.default_rng(seed), len(CLASSES), len(SPRITES), layout)


def test_the_catalogue_names_at_least_200_objects_once_each() -> None:
    """No name stands for two pictures, and there are many."""
    names = [object_class.name for object_class in read_catalogue()]
    assert len(names) >= 200
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [("owl", "an owl"), ("unicorn", "a unicorn"), ("hourglass", "an hourglass"), ("cat", "a cat")],
)
def test_the_article_follows_the_sound(noun: str, phrase: str) -> None:
    """Captions read as people write them."""
    assert with_article(noun) == phrase


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_seed_gives_one_picture_and_one_caption(layout: Layout) -> None:
    """Training can be resumed and repeated only if a scene depends on its seed alone."""
    first, second = (render(scene_of(layout, seed=7), SPRITES, 128).picture for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert describe(scene_of(layout, 7), CLASSES) == describe(scene_of(layout, 7), CLASSES)


@pytest.mark.parametrize("seed", range(20))
def test_the_caption_tells_the_places_that_the_picture_shows(seed: int) -> None:
    """Whoever is named first stands further left, or higher."""
    for layout in ("side", "row"):
        xs = [placement.x for placement in scene_of(layout, seed).placements]
        assert xs == sorted(xs)
    upper, lower = scene_of("above", seed).placements
    assert upper.y < lower.y


def test_masks_cover_what_was_drawn() -> None:
    """The patch loss learns from these masks."""
    rendered = render(scene_of("alone", seed=3), SPRITES, 128)
    mask = np.asarray(rendered.masks[0]) > 250
    colour = np.asarray(rendered.picture)[mask].std(axis=0)
    assert 0.1 < mask.mean() < 0.7
    assert (colour < 30).all()
