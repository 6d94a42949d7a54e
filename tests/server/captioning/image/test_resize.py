"""Resizing on two threads gives, bit for bit, what resizing on one gives."""

import random
from collections.abc import Iterator
from threading import Event, Thread, current_thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from server.captioning.image.resize import Resizer
from tests.scale import FULL

RESAMPLING = Image.Resampling.BICUBIC

#: Of picture, target and box, for each filter.
COMBINATIONS = 5000 if FULL else 200

#: Seconds until a wait in this module counts as failed.
PATIENCE = 30


def checks(width: int, height: int) -> Image.Image:
    """Black and white squares of 4 pixels, at whose edges the filter overshoots."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(((across // 4 + down // 4) % 2 * 255).astype(np.uint8)).convert("RGB")


@pytest.fixture
def resizer() -> Iterator[Resizer]:
    resizer = Resizer(RESAMPLING)
    yield resizer
    resizer.close()


@pytest.mark.parametrize("resampling", list(Image.Resampling))
def test_halves_are_resized_like_the_whole(resampling: Image.Resampling) -> None:
    """Pictures, targets and boxes of any shape give what Image.resize gives, with every filter."""
    chance = random.Random(resampling.name)
    resizer = Resizer(resampling)
    for _ in range(COMBINATIONS):
        size = chance.choice((24, 32, 48, 96)), chance.randint(1, 100)
        width, height = (chance.randint(side + side // 2, 4 * side + 8) for side in size)
        picture = checks(width, height)
        box = (0, 0, width - chance.choice((0, 0.125, 0.5)), height - chance.choice((0, 0.25, 0.5)))
        expected = picture.resize(size, resampling, box)
        found = resizer.resize(picture, size, box)
        assert found.tobytes() == expected.tobytes(), (picture.size, size, box)
    resizer.close()


def test_every_large_picture_uses_the_second_thread(
    resizer: Resizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One picture after the other is resized in two halves, each on a thread of its own."""
    resize, threads = Image.Image.resize, []

    def recorded(*args: Any) -> Image.Image:
        threads.append(current_thread())
        return resize(*args)

    monkeypatch.setattr(Image.Image, "resize", recorded)
    for _ in range(3):
        resizer.resize(checks(320, 240), (48, 48), (0, 0, 320, 240))
    assert len(threads) == 6
    assert len(set(threads)) == 2
    assert threads.count(current_thread()) == 3


def test_a_busy_second_thread_is_not_waited_for(resizer: Resizer) -> None:
    """While one picture uses the second thread, another one is resized on the caller's alone."""
    started, finish = Event(), Event()

    class Slow(Image.Image):
        def resize(self, *args: object, **kwargs: object) -> Image.Image:
            started.set()
            assert finish.wait(PATIENCE)
            return Image.new("RGB", (4, 2))

    def resize_slowly() -> None:
        slow = Slow()
        slow._size = (8, 8)
        slow._mode = "RGB"
        resizer.resize(slow, (4, 4), (0, 0, 8, 8))

    other = Thread(target=resize_slowly)
    other.start()
    try:
        assert started.wait(PATIENCE)
        picture = checks(320, 240)
        expected = picture.resize((96, 48), RESAMPLING)
        found = resizer.resize(picture, (96, 48), (0, 0, 320, 240))
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    finally:
        finish.set()
        other.join(PATIENCE)
    assert not other.is_alive()
