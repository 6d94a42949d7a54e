"""Admission control: bound the caption requests in flight, and stop admitting to drain."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import Draining, Overloaded
from server.http.slow_clients import SlowClients


class Admission:
    """Admits up to `limit` requests at once, because each holds its body in memory.

    `ready` is what /health/ready reports. It turns false before or when draining begins.
    """

    def __init__(self, limit: int, receive_timeout: float) -> None:
        self._limit = limit
        self.in_flight = 0
        self.slow_clients = SlowClients(receive_timeout)
        self.ready = True
        self.draining = False

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Admit one request for the duration of the context.

        Raises Overloaded or Draining before the body is read. A full server evicts the slowest
        client instead, if there is a slow one. Evicted requests count until their task has ended,
        in the event loop's next iteration.
        """
        if self.draining:
            raise Draining("The server is stopping; send the request again.", retry_after=1)
        if self.in_flight >= self._limit and not self.slow_clients.evict_slowest():
            raise Overloaded("The server has too many requests; try again soon.", retry_after=1)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def announce_drain(self) -> None:
        """Report not ready, and go on admitting requests until `drain`."""
        self.ready = False

    def drain(self) -> None:
        """Admit no more requests."""
        self.ready = False
        self.draining = True
