"""How much work is taken, and the one thread that does it."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import TypeVar

from server.errors import Draining, Overloaded

T = TypeVar("T")

MAX_RETRY_AFTER = 60


class Admission:
    """The door: how many requests may be inside at once, each with its body in memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.in_flight = 0
        self.ready = True
        self.draining = False

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count one request in and out. Raises Overloaded or Draining: before its body is read."""
        if self.draining:
            raise Draining("The server is stopping; send the request again.", retry_after=1)
        if self.in_flight >= self._limit:
            raise Overloaded("The server has too many requests; try again soon.", retry_after=1)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def announce(self) -> None:
        """Say that the door is about to close; until it does, everybody is let in."""
        self.ready = False

    def drain(self) -> None:
        """Let nobody in from now on."""
        self.ready = False
        self.draining = True


class Worker:
    """One thread, which owns the model, and a bounded queue in front of it.

    More threads would not caption faster: inference by itself uses every core it may.
    """

    def __init__(self, queue_size: int) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="captioner")
        self._capacity = queue_size + 1
        self._jobs = 0
        self._seconds_per_job = 0.0
        self._closing = threading.Event()

    @property
    def queued(self) -> int:
        """How many jobs wait behind the running one."""
        return max(0, self._jobs - 1)

    async def run(self, work: Callable[[Callable[[], bool]], T]) -> T:
        """Do blocking work on the thread: the one way off the event loop.

        The work is given a callable that says whether it still matters. If this is cancelled,
        queued work is dropped and running work can find out. Raises Overloaded if the queue is
        full, and what the work raises.
        """
        if self._jobs >= self._capacity:
            raise Overloaded("Too many pictures wait for the model.", self._retry_after())
        loop = asyncio.get_running_loop()
        abandoned = threading.Event()
        job = self._executor.submit(
            self._timed, work, lambda: abandoned.is_set() or self._closing.is_set()
        )
        self._jobs += 1
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._finish))
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            abandoned.set()
            raise

    async def aclose(self) -> None:
        """Drop what is queued, stop what runs at its next step, and end the thread."""
        self._closing.set()
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _timed(self, work: Callable[[Callable[[], bool]], T], cancelled: Callable[[], bool]) -> T:
        began = perf_counter()
        try:
            return work(cancelled)
        finally:
            self._seconds_per_job += 0.2 * (perf_counter() - began - self._seconds_per_job)

    def _finish(self) -> None:
        self._jobs -= 1

    def _retry_after(self) -> int:
        return min(MAX_RETRY_AFTER, max(1, math.ceil(self._jobs * self._seconds_per_job)))


@asynccontextmanager
async def open_worker(queue_size: int) -> AsyncIterator[Worker]:
    worker = Worker(queue_size)
    try:
        yield worker
    finally:
        await worker.aclose()
