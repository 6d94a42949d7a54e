"""A captioner whose decoder step hangs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from server.captioning.arrays import Logits
from server.captioning.generation.generation import Generation
from tests.server.fakes import PATIENCE, FakeModel


@dataclass
class HangingCaptioner(FakeModel):
    """Begins captions, and hangs in the first decoder step until `released`."""

    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        # With the gate shut the fake asks for decoder steps.
        self.gate.clear()

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        assert self.released.wait(PATIENCE)
        self.gate.set()
        return super().step(generations)
