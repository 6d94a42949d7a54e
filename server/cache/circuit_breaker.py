"""A circuit breaker: a store that fails again and again is left alone until a probe succeeds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from server.cache.redis_store import StoreError

logger = logging.getLogger(__name__)


class CircuitBreaker:
    """Closed, operations pass; open, none does, and probes in the background look for recovery.

    Requests never are the probe: that would cost one of them a timeout every time.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]],
        failures_to_open: int = 3,
        seconds_between_probes: float = 0.5,
    ) -> None:
        self._probe = probe
        self._failures_to_open = failures_to_open
        self._seconds_between_probes = seconds_between_probes
        self._failures = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._probing is not None

    def record_success(self) -> None:
        self._failures = 0

    def record_failure(self, error: StoreError) -> None:
        """Count a failure, and open after `failures_to_open` of them in a row."""
        self._failures += 1
        if self._failures >= self._failures_to_open:
            self.open(error)

    def open(self, error: StoreError) -> None:
        if not self.is_open:
            logger.warning("The cache is unreachable, captions go on without it: %s", error)
            self._probing = asyncio.create_task(self._probe_until_recovered())

    async def aclose(self) -> None:
        if self._probing:
            self._probing.cancel()
            await asyncio.wait([self._probing])

    async def _probe_until_recovered(self) -> None:
        while True:
            await asyncio.sleep(self._seconds_between_probes)
            try:
                await self._probe()
            except StoreError:
                continue
            logger.info("The cache is back.")
            self._failures = 0
            self._probing = None
            return
