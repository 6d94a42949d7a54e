"""The bound of the queue before the model, and the time after which a refused client returns."""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from time import perf_counter

from server.errors import Overloaded

MAX_RETRY_AFTER = 60


class QueueLimit:
    """Counts captions from their admission to their end, in the order of arrival.

    The first captions, as many as have batch slots, run or are about to; the others wait. At most
    `queue_size` captions wait. Not thread-safe: it belongs to the event loop.
    """

    def __init__(self, queue_size: int, batch_size: int) -> None:
        self._queue_size = queue_size
        self._batch_size = batch_size
        self._slots: dict[object, int] = {}
        self._ended_at = 0.0
        self._ended = asyncio.Event()
        # Captions of one batch end together, so the mean needs the intervals of two batches.
        self._intervals: deque[float] = deque(maxlen=2 * batch_size)

    @property
    def unfinished(self) -> int:
        """How many captions run or wait."""
        return len(self._slots)

    @contextmanager
    def place(self, slots: int) -> Iterator[None]:
        """Count a caption for as long as the block runs. Raises Overloaded if too many wait."""
        if self._waiting([*self._slots.values(), slots]) > self._queue_size:
            raise Overloaded("Too many pictures wait for the model.", self._retry_after())
        if not self._slots:
            self._ended_at = perf_counter()
        ticket = object()
        self._slots[ticket] = slots
        cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            del self._slots[ticket]
            self._ended.set()
            self._ended = asyncio.Event()
            if not cancelled:
                now = perf_counter()
                self._intervals.append(now - self._ended_at)
                self._ended_at = now

    async def next_end(self) -> None:
        """Wait until a caption ends, if one is unfinished."""
        if self._slots:
            await self._ended.wait()

    def _waiting(self, slots: list[int]) -> int:
        free = self._batch_size
        for index, each in enumerate(slots):
            free -= each
            if free < 0:
                return len(slots) - index
        return 0

    def _retry_after(self) -> int:
        """Estimate the seconds until all captions in progress have ended, at least 1."""
        interval = fmean(self._intervals) if self._intervals else 0
        return min(MAX_RETRY_AFTER, max(1, math.ceil(len(self._slots) * interval)))
