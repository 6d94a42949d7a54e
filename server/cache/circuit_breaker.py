"""A circuit breaker: after repeated failures the store is not used until a probe succeeds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from server.cache.store import StoreError

logger = logging.getLogger(__name__)


class CircuitBreaker:
    """Closed: operations run. Open: none runs, and a background task probes for recovery.

    A request never serves as the probe, because each probe of a hanging store costs a timeout.
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
        """Count a failure. Open after `failures_to_open` consecutive ones."""
        self._failures += 1
        if self._failures >= self._failures_to_open:
            self.open(error)

    def open(self, error: StoreError) -> None:
        """Start probing. Must run in the event loop."""
        if not self.is_open:
            logger.warning("The cache is unreachable; captions continue without it: %s", error)
            self._probing = asyncio.create_task(self._probe_until_recovered())

    async def aclose(self) -> None:
        """Stop probing."""
        if self._probing:
            self._probing.cancel()
            await asyncio.wait([self._probing])

    async def _probe_until_recovered(self) -> None:
        defect_logged = False
        while True:
            await asyncio.sleep(self._seconds_between_probes)
            try:
                await self._probe()
            except StoreError:
                continue
            except Exception:
                # A defect. Without this line the task would end, and the breaker stay open.
                if not defect_logged:
                    logger.exception("The probe of the cache failed by a defect of the server.")
                defect_logged = True
                continue
            logger.info("The cache is reachable again.")
            self._failures = 0
            self._probing = None
            return
