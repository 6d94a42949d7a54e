"""Readiness and liveness: drain, and a model that makes no progress while captions wait."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from server.errors import Draining, Stalled
from server.http.admission import Admission

logger = logging.getLogger(__name__)

#: Liveness fails after this many stall timeouts, so that load balancers notice before a restart.
LIVENESS_FACTOR = 3

#: A stall is logged at the latest this fraction of the stall timeout after it is one.
_CHECKS_PER_TIMEOUT = 4


class Readiness:
    """Watches the batcher's progress, in seconds since its last one (0.0 while it is idle)."""

    def __init__(
        self,
        admission: Admission,
        seconds_without_progress: Callable[[], float],
        stall_timeout: float,
    ) -> None:
        self._admission = admission
        self._seconds_without_progress = seconds_without_progress
        self._stall_timeout = stall_timeout
        self._stalled = False

    def require_ready(self) -> None:
        """Raise Draining while the server drains, and Stalled during a stall."""
        if not self._admission.ready:
            raise Draining("The server is stopping; send requests elsewhere.", retry_after=1)
        self._require_progress(self._stall_timeout)

    def require_live(self) -> None:
        """Raise Stalled once a stall lasts LIVENESS_FACTOR times the stall timeout."""
        self._require_progress(LIVENESS_FACTOR * self._stall_timeout)

    def check(self) -> float:
        """Measure the seconds without progress, and log once for each stall."""
        seconds = self._seconds_without_progress()
        stalled = seconds > self._stall_timeout
        if stalled and not self._stalled:
            logger.error(
                "stalled: captions wait, and the model has made no progress for %.0f s",
                seconds,
            )
        self._stalled = stalled
        return seconds

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Check at intervals, so that a stall is logged although nobody probes."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._stall_timeout / _CHECKS_PER_TIMEOUT)
            self.check()

    def _require_progress(self, limit: float) -> None:
        seconds = self.check()
        if seconds > limit:
            raise Stalled(
                f"Captions wait, and the model has made no progress for {seconds:.0f} seconds.",
                retry_after=max(1, math.ceil(self._stall_timeout)),
            )
