"""The one thread that captions, the captions it has in hand, and the bounded queue before it."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, suppress
from statistics import fmean
from time import perf_counter
from typing import Any, Generic, TypeVar

from server.errors import Draining, Overloaded
from server.inference.sequence import Got, Job, Want

T = TypeVar("T")

MAX_RETRY_AFTER = 60


class ContinuousBatcher(Generic[Want, Got]):
    """One thread, which owns the model: a second one would not caption faster.

    Jobs in hand get what they want all in one `step`; together they have at most `batch_size`
    places. Up to `queue_size` jobs wait. Between two steps one of them is begun where there is
    room, so that new jobs can't hold up those under way. While nobody has taken a step more are, so
    that a crowd takes all of them together: each time `gather` gets what all in hand want, and says
    whether to go on.
    """

    def __init__(
        self,
        step: Callable[[Sequence[Want]], Sequence[Got]],
        gather: Callable[[Sequence[Want]], bool],
        queue_size: int,
        batch_size: int,
    ) -> None:
        self._step = step
        self._gather = gather
        self._batch_size = batch_size
        self._capacity = queue_size + batch_size
        self._unfinished = 0
        self._finished_at = 0.0
        self._progress_at = 0.0
        # Of the last jobs, as many as two crowds have: those who step together end together.
        self._seconds: deque[float] = deque(maxlen=2 * batch_size)
        self._waiting: deque[Job[Want, Got]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="captioner", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    def seconds_without_progress(self) -> float:
        """Seconds since a job was begun or a step finished, while a job is unfinished; else 0.0."""
        return perf_counter() - self._progress_at if self._unfinished else 0.0

    async def run(self, start: Callable[[], Generator[Want, Got, T]], places: int = 1) -> T:
        """Have a job done on the thread: the one way off the event loop.

        A job that asks for more `places` than there are has all of them. If this is cancelled, a
        job that waits is dropped, and one in hand gets no further step. Raises Overloaded if the
        queue is full, Draining if the worker is closed, and what the job raises.
        """
        if self._unfinished >= self._capacity:
            raise Overloaded("Too many pictures wait for the model.", self._retry_after())
        loop, job = asyncio.get_running_loop(), Job(start, min(places, self._batch_size))
        with self._changed:
            if self._closing:
                raise Draining("The server is stopping; send the request again.", retry_after=1)
            self._waiting.append(job)
            self._changed.notify()
        if not self._unfinished:
            self._finished_at = self._progress_at = perf_counter()
        self._unfinished += 1
        # Without the job itself: what it holds is large, and a cycle would wait for the collector.
        job.future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, done))
        try:
            done: T = await asyncio.wrap_future(job.future)
            return done
        except asyncio.CancelledError:
            job.abandoned = True
            with self._changed, suppress(ValueError):
                self._waiting.remove(job)
            raise

    async def aclose(self) -> None:
        """Drop what waits, end what is in hand at its next step, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)
        for job in self._waiting:
            job.future.cancel()

    def _serve(self) -> None:
        in_hand: list[Job[Want, Got]] = []
        while not self._closing:
            if not in_hand:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._closing)
            try:
                self._begin(in_hand)
                in_hand = self._fulfil(in_hand)
            except BaseException as exc:  # Without this thread nobody would be answered any more.
                for job in in_hand:
                    job.end(exc)
                in_hand = []
        for job in in_hand:
            job.end(CancelledError())

    def _begin(self, in_hand: list[Job[Want, Got]]) -> None:
        """Let jobs that wait join those in hand, up to one that ends at once, for many might."""
        while job := self._next(self._batch_size - sum(each.places for each in in_hand)):
            begun = job.begin()
            self._progress_at = perf_counter()
            if not begun:
                return
            in_hand.append(job)
            if self._closing or any(each.under_way for each in in_hand):
                return
            if not self._gather([each.want for each in in_hand]):
                return

    def _next(self, places: int) -> Job[Want, Got] | None:
        """The job that waits longest, if there is one and it fits."""
        with self._changed:
            fits = self._waiting and self._waiting[0].places <= places
            return self._waiting.popleft() if fits else None

    def _fulfil(self, jobs: Sequence[Job[Want, Got]]) -> list[Job[Want, Got]]:
        """One step for all; those that go on after it."""
        wanting = [job for job in jobs if not job.end_if_abandoned()]
        if not wanting:
            return []
        got = self._step([job.want for job in wanting])
        self._progress_at = perf_counter()
        return [job for job, each in zip(wanting, got, strict=True) if job.go_on(each)]

    def _finish(self, done: Future[Any]) -> None:
        self._unfinished -= 1
        if not done.cancelled():
            now = perf_counter()
            self._seconds.append(now - self._finished_at)
            self._finished_at = now

    def _retry_after(self) -> int:
        a_job = fmean(self._seconds) if self._seconds else 0
        return min(MAX_RETRY_AFTER, max(1, math.ceil(self._unfinished * a_job)))


@asynccontextmanager
async def open_batcher(
    step: Callable[[Sequence[Want]], Sequence[Got]],
    gather: Callable[[Sequence[Want]], bool],
    queue_size: int,
    batch_size: int,
) -> AsyncIterator[ContinuousBatcher[Want, Got]]:
    worker = ContinuousBatcher(step, gather, queue_size, batch_size)
    try:
        yield worker
    finally:
        await worker.aclose()
