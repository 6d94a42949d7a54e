import asyncio

import pytest

from server.inference.single_flight import SingleFlight
from tests.server.serving import until

pytestmark = pytest.mark.anyio


class Work:
    """Work that ends when told to, and counts how often it was begun and cancelled."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> str:
        self.begun += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return f"outcome {self.begun}"


async def callers_of(
    flight: SingleFlight[str], work: Work, count: int
) -> list[asyncio.Task[tuple[str, bool]]]:
    """`count` callers for one key, all of them waiting."""
    callers = [asyncio.create_task(flight.do("key", work)) for _ in range(count)]
    await until(lambda: flight.callers == count and work.begun > 0)
    return callers


async def test_shared() -> None:
    """Callers with one key share one piece of work; all but the first are told so."""
    flight, work = SingleFlight[str](), Work()
    callers = await callers_of(flight, work, 5)

    work.end.set()

    assert await asyncio.gather(*callers) == [("outcome 1", False), *[("outcome 1", True)] * 4]
    assert flight.callers == 0


async def test_keys_are_apart() -> None:
    """Work under another key is other work."""
    flight, work = SingleFlight[str](), Work()
    work.end.set()

    await asyncio.gather(flight.do("one", work), flight.do("other", work))

    assert work.begun == 2


async def test_first_one_leaves() -> None:
    """The work goes on if the caller that began it leaves, for those who still wait."""
    flight, work = SingleFlight[str](), Work()
    first, second = await callers_of(flight, work, 2)

    first.cancel()
    await asyncio.wait([first])
    work.end.set()

    assert await second == ("outcome 1", True)
    assert work.cancelled == 0


async def test_all_leave() -> None:
    """The work is cancelled when nobody waits for it any more."""
    flight, work = SingleFlight[str](), Work()
    callers = await callers_of(flight, work, 2)

    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    await asyncio.sleep(0)

    assert work.cancelled == 1


async def test_newcomer_after_all_left() -> None:
    """Whoever comes after all have left begins anew, even before the cancellation has run."""
    flight, work = SingleFlight[str](), Work()
    (caller,) = await callers_of(flight, work, 1)

    caller.cancel()
    newcomer = asyncio.create_task(flight.do("key", work))
    await asyncio.wait([caller])
    work.end.set()

    assert await newcomer == ("outcome 2", False)


async def test_error() -> None:
    """An error reaches everyone who waits, and the next caller begins anew."""
    flight, work = SingleFlight[str](), Work()
    callers = await callers_of(flight, work, 3)

    work.error = ValueError("no")
    work.end.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert outcomes == [work.error] * 3

    work.error = None
    assert await flight.do("key", work) == ("outcome 2", False)
