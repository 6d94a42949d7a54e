"""The door: how many requests are inside at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import Draining, Overloaded
from server.http.slow_clients import SlowClients


class Admission:
    """Bounds the requests inside, each with its body in memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.in_flight = 0
        self.senders = SlowClients()
        self.ready = True
        self.draining = False

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count one request in and out. Raises Overloaded or Draining: before its body is read.

        Whoever makes room is still counted until it has left, in this loop's next round.
        """
        if self.draining:
            raise Draining("The server is stopping; send the request again.", retry_after=1)
        if self.in_flight >= self._limit and not self.senders.evict_slowest():
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
