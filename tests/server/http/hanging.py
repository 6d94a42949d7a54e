"""A model that hangs while it decodes a picture, or in a decoder step."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from server.captioning.arrays import Logits, Pixels
from server.captioning.generation.generation import Generation
from tests.server.fakes import PATIENCE, FakeModel


@dataclass
class HangingModel(FakeModel):
    """Hangs in one place until `released`; `hanging` is released when it does."""

    hangs_in: Literal["decode", "step"] = "step"
    hanging: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Event = field(default_factory=threading.Event)

    def decode(self, image: bytes) -> Pixels:
        self._hang("decode")
        return super().decode(image)

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        self._hang("step")
        return super().step(generations)

    def _hang(self, place: str) -> None:
        if place == self.hangs_in:
            self.hanging.release()
            assert self.released.wait(PATIENCE)
