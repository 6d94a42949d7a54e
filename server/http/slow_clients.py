"""Who is still sending a body, and who of them leaves when there is no room for anybody else.

A body that comes a byte at a time would hold one of the few places inside until its deadline, and
a few dozen of them everybody else's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from starlette.types import Message, Receive

from server.errors import SlowClientEvicted

#: Seconds before anybody's pace is judged: a round trip to the far side of the world.
GRACE = 0.25

#: Bytes a second that are too few to be waited for while others are refused.
MIN_BYTES_PER_SECOND = 10_000


class _Body:
    """One body on its way."""

    def __init__(self, receive: Receive, patience: asyncio.Timeout) -> None:
        self._receive = receive
        self._patience = patience
        self._began = monotonic()
        self._bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        return message

    def pace(self) -> float:
        """Bytes a second."""
        seconds = monotonic() - self._began
        return self._bytes / seconds if seconds > GRACE else float("inf")

    def give_up(self) -> None:
        self._patience.reschedule(asyncio.get_running_loop().time())


class SlowClients:
    """All bodies on their way."""

    def __init__(self) -> None:
        self._bodies: set[_Body] = set()

    @asynccontextmanager
    async def sending(self, receive: Receive) -> AsyncIterator[Receive]:
        """While a body is read, by what this gives. Raises SlowClientEvicted."""
        try:
            async with asyncio.timeout(None) as patience:
                body = _Body(receive, patience)
                self._bodies.add(body)
                try:
                    yield body.receive
                finally:
                    self._bodies.discard(body)
        except TimeoutError as exc:
            raise SlowClientEvicted(
                "The server is busy and the request came too slowly; send it again.", retry_after=1
            ) from exc

    def evict_slowest(self) -> bool:
        """Give the slowest sender up, if there is one that is too slow to be waited for."""
        slowest = min(self._bodies, key=_Body.pace, default=None)
        if slowest is None or slowest.pace() >= MIN_BYTES_PER_SECOND:
            return False
        self._bodies.discard(slowest)
        slowest.give_up()
        return True
