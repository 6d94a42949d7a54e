"""What one caption alone doesn't show: large pictures, known ones, and many at once."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.pictures import Picture
from benchmarks.processes import resident_memory
from benchmarks.rows import Beyond, Case
from server.captioning.captioner import Captioner
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.options import GenerationOptions
from server.inference.batcher import open_batcher

CROWD = 8
ENCODER_CACHE_BYTES = 64_000_000
PROMPT = "a picture of"
OPTIONS = GenerationOptions()


@dataclass(frozen=True, slots=True)
class Ours:
    """A captioner as the server opens it."""

    captioner: Captioner

    def measure(self, number: int, picture: Picture, large: bytes) -> Iterator[tuple[Case, float]]:
        began = perf_counter()
        self.captioner.preprocess(large)
        yield "preprocess 12 MP", perf_counter() - began
        target = self.captioner.manifest.image
        decode_in_full = PictureDecoder(target, exact_decode=True)
        decode_in_full(large)  # Or the next one would wait for the system to find the memory.
        began = perf_counter()
        to_pixel_values(decode_in_full(large), target)
        yield "preprocess 12 MP, decoded in full", perf_counter() - began

        new, known = (picture.as_file(f"{number} {which}") for which in ("new", "known"))
        self.captioner.caption(known, None, OPTIONS)
        yield "new prompt on a known picture", self._caption(known)
        yield "the same on a new picture", self._caption(new)

        for case, batch_size in _CROWDS.items():
            pictures = [picture.as_file(f"{number} {case} {i}") for i in range(CROWD)]
            yield case, asyncio.run(self._caption_all(pictures, batch_size)) / CROWD

    def _caption(self, image: bytes) -> float:
        began = perf_counter()
        self.captioner.caption(image, PROMPT, OPTIONS)
        return perf_counter() - began

    async def _caption_all(self, images: list[bytes], batch_size: int) -> float:
        captioner = self.captioner
        async with open_batcher(captioner.step, captioner.gather, CROWD, batch_size) as worker:
            began = perf_counter()
            async with asyncio.TaskGroup() as group:
                for image in images:
                    start = partial(captioner.start, image, None, OPTIONS)
                    group.create_task(worker.run(start))
            return perf_counter() - began


_CROWDS: dict[Case, int] = {
    "one of 8 pictures at once": CROWD,
    "one of 8 pictures in turn": 1,
}

#: What this process holds between calls from its parent.
_opened: list[Ours] = []


def open_ours(directory: Path, threads: int) -> None:
    """Raises ModelDirectoryError."""
    captioner = Captioner.open(
        directory,
        threads=threads,
        exact_decode=False,
        batch_size=CROWD,
        encoder_cache_bytes=ENCODER_CACHE_BYTES,
    )
    captioner.warm_up()
    _opened.append(Ours(captioner))


def measure_ours(number: int, picture: Picture, large: bytes) -> list[Beyond]:
    """The rows of a round, in the process that opened the captioner.

    `large` is a JPEG of 12 megapixels. Both come from outside: drawing them takes memory too.
    """
    (ours,) = _opened
    return [
        Beyond(number, case, seconds, resident_memory())
        for case, seconds in ours.measure(number, picture, large)
    ]
