"""Bound the time of request bodies, and evict the slowest one when the server is full.

A client that sends a body byte by byte occupies one of the few admitted requests until its
deadline. A few dozen such clients would shut out every other client.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from starlette.types import Message, Receive

from server.errors import RequestTimeout, SlowClientEvicted

#: Seconds before the speed of a body is judged: a round trip to the far side of the world.
GRACE = 0.25

#: A slower body may be evicted while the server is full.
MIN_BYTES_PER_SECOND = 10_000


class _Body:
    """One body that is being received."""

    def __init__(self, receive: Receive, deadline: asyncio.Timeout) -> None:
        self._receive = receive
        self._deadline = deadline
        self._began = monotonic()
        self._bytes = 0
        self.evicted = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        return message

    def bytes_per_second(self) -> float:
        seconds = monotonic() - self._began
        return self._bytes / seconds if seconds > GRACE else float("inf")

    def evict(self) -> None:
        self.evicted = True
        self._deadline.reschedule(asyncio.get_running_loop().time())


class SlowClients:
    """All bodies that are being received, each for at most `receive_timeout` seconds."""

    def __init__(self, receive_timeout: float) -> None:
        self._receive_timeout = receive_timeout
        self._bodies: set[_Body] = set()

    @asynccontextmanager
    async def reading(self, receive: Receive) -> AsyncIterator[Receive]:
        """Bound the reading of one body, which has to go through the callable that this yields.

        Raises RequestTimeout at the deadline, and SlowClientEvicted if the body is evicted.
        """
        try:
            async with asyncio.timeout(self._receive_timeout) as deadline:
                body = _Body(receive, deadline)
                self._bodies.add(body)
                try:
                    yield body.receive
                finally:
                    self._bodies.discard(body)
        except TimeoutError as exc:
            if not deadline.expired():
                raise
            if body.evicted:
                raise SlowClientEvicted(
                    "The server is busy and the request came too slowly; send it again.", 1
                ) from exc
            raise RequestTimeout(
                f"The request did not arrive within {self._receive_timeout:g} seconds."
            ) from exc

    def evict_slowest(self) -> bool:
        """Evict the slowest body. Return False if none is below MIN_BYTES_PER_SECOND."""
        slowest = min(self._bodies, key=_Body.bytes_per_second, default=None)
        if slowest is None or slowest.bytes_per_second() >= MIN_BYTES_PER_SECOND:
            return False
        self._bodies.discard(slowest)
        slowest.evict()
        return True
