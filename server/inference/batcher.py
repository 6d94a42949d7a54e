"""Continuous batching: one thread that runs the model for all sequences in progress."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from time import monotonic

from server.captioning.generation.types import Hypothesis
from server.errors import Draining
from server.inference.model import CaptionModel
from server.inference.sequence import Sequence

#: Seconds that closing waits for a prefill or step in progress; the thread is a daemon.
CLOSE_TIMEOUT = 10.0


class ContinuousBatcher:
    """Runs decoder steps for all running sequences together, and admits waiting ones in between.

    One thread owns the model, because a second one would not caption faster. Running sequences have
    at most `batch_size` batch slots. Once a running sequence has taken a step, at most one waiting
    sequence is admitted before each step, so that prefills cannot delay the running batch. Before
    that, all that fit are admitted, so that a burst of requests takes its steps together.
    """

    def __init__(self, model: CaptionModel, batch_size: int) -> None:
        self._model = model
        self.batch_size = batch_size
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._progressed_at = monotonic()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def slots_of(self, num_beams: int) -> int:
        """Return the batch slots of a caption: one a beam, but no more than there are."""
        return min(num_beams, self.batch_size)

    @property
    def queued(self) -> int:
        """How many sequences wait for a batch slot."""
        return len(self._waiting)

    def seconds_without_progress(self) -> float:
        """Return the seconds since the last prefill or step ended; 0.0 while there is no work."""
        if not self._running and not self._waiting:
            return 0.0
        return monotonic() - self._progressed_at

    async def run(self, sequence: Sequence) -> Hypothesis:
        """Run a sequence to its end.

        Cancelling this drops a sequence that waits, and stops a running one before its next step.
        Raises Draining if the batcher is closed, and the error that the sequence failed with.
        """
        with self._changed:
            if self._closing:
                raise Draining("The server is stopping; send the request again.", retry_after=1)
            if not self._running and not self._waiting:
                self._progressed_at = monotonic()
            self._waiting.append(sequence)
            self._changed.notify()
        try:
            return await asyncio.wrap_future(sequence.future)
        except asyncio.CancelledError:
            sequence.abandoned = True
            with self._changed, suppress(ValueError):
                self._waiting.remove(sequence)
            raise

    async def aclose(self) -> None:
        """Cancel waiting sequences, stop running ones before their next step, end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT)
        for sequence in self._waiting:
            sequence.future.cancel()

    def _serve(self) -> None:
        while not self._closing:
            if not self._running:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._closing)
            try:
                self._admit_waiting()
                self._run_step()
            except BaseException as exc:  # Without this thread no request would be answered.
                self._end_all(exc)
        self._end_all(CancelledError())

    def _admit_waiting(self) -> None:
        """Admit waiting sequences while batch slots are free.

        Return after one that fails immediately, so that a burst of them cannot delay the batch.
        """
        while sequence := self._next_waiting():
            sequence.prefill(self._model)
            self._progressed_at = monotonic()
            if sequence.finished:
                self._running.remove(sequence)
                return
            if self._closing or any(each.has_stepped for each in self._running):
                return

    def _next_waiting(self) -> Sequence | None:
        """Move the sequence that waits longest to the running ones, if its slots are free."""
        with self._changed:
            free = self.batch_size - sum(each.slots for each in self._running)
            if not self._waiting or self._waiting[0].slots > free:
                return None
            sequence = self._waiting.popleft()
            self._running.append(sequence)
            return sequence

    def _run_step(self) -> None:
        """Run one decoder step for all running sequences, and keep those that continue."""
        for sequence in self._running:
            sequence.stop_if_abandoned()
        self._keep_unfinished()
        if not self._running:
            return
        logits = self._model.step([sequence.generation for sequence in self._running])
        for sequence, each in zip(self._running, logits, strict=True):
            sequence.advance(each)
        self._progressed_at = monotonic()
        self._keep_unfinished()

    def _keep_unfinished(self) -> None:
        self._running = [sequence for sequence in self._running if not sequence.finished]

    def _end_all(self, exc: BaseException) -> None:
        for sequence in self._running:
            sequence.fail(exc)
        self._running = []


@asynccontextmanager
async def open_batcher(model: CaptionModel, batch_size: int) -> AsyncIterator[ContinuousBatcher]:
    batcher = ContinuousBatcher(model, batch_size)
    try:
        yield batcher
    finally:
        await batcher.aclose()
