"""Jobs for server.inference.batcher, and the steps that they take."""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from server.inference.batcher import ContinuousBatcher, open_batcher
from tests.server.fakes import PATIENCE


class Job:
    """Takes steps until it is told to end; says which thread it ran on.

    One that is `held` takes its time over beginning, until it is told to go on.
    """

    def __init__(self, *, held: bool = False) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        if not held:
            self.go_on.set()
        self.end = threading.Event()
        self.stopped = threading.Event()

    def __call__(self) -> Generator["Job", str, str]:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        deadline = monotonic() + PATIENCE
        name = ""
        try:
            while not self.end.wait(0.001) and monotonic() < deadline:
                name = yield self
        except GeneratorExit:
            self.stopped.set()
            raise
        return name or threading.current_thread().name


class Steps:
    """Remembers who took part in which step, and who was gathered; fails where it is told to."""

    def __init__(self) -> None:
        self.taken: list[Sequence[Job]] = []
        self.gathered: list[Sequence[Job]] = []
        self.room = True
        self.failure: Exception | None = None

    def __call__(self, jobs: Sequence[Job]) -> list[str]:
        self.taken.append(jobs)
        if self.failure:
            raise self.failure
        return [threading.current_thread().name for _ in jobs]

    def gather(self, jobs: Sequence[Job]) -> bool:
        self.gathered.append(jobs)
        return self.room


def always(_: Sequence[object]) -> bool:
    return True


@asynccontextmanager
async def worker_of(
    steps: Steps, queue_size: int, batch_size: int = 1
) -> AsyncIterator[ContinuousBatcher[Job, str]]:
    async with open_batcher(steps, steps.gather, queue_size, batch_size) as worker:
        yield worker


async def wait(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 30)
