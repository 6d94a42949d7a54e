"""One piece of work per key at a time: whoever asks while it runs shares its outcome."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    work: asyncio.Task[T]
    waiting: int = 0


class SingleFlight(Generic[T]):
    """Work belongs to all who wait for it: the first one leaving changes nothing, the last cancels.

    An error goes to everyone who waits, and to nobody who comes later.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    @property
    def waiting(self) -> int:
        """How many callers wait for work in progress."""
        return sum(flight.waiting for flight in self._flights.values())

    async def share(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """The outcome of the work under `key`, started if there is none, and whether it was shared.

        Raises what the work raises.
        """
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(start()))
            flight.work.add_done_callback(lambda work: self._land(key, work))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.work), joined
        finally:
            flight.waiting -= 1
            if flight.waiting == 0 and not flight.work.done():
                flight.work.cancel()
                self._land(key, flight.work)

    def _land(self, key: str, work: asyncio.Task[T]) -> None:
        # Cancelled work leaves at once, before its cancellation has run: a new caller starts anew.
        if key in self._flights and self._flights[key].work is work:
            del self._flights[key]
        if work.done() and not work.cancelled():
            work.exception()  # marks it as retrieved, should the last waiter have left just now
