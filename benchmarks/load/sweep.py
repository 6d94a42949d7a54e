"""The highest rate at which a server keeps a latency limit."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from benchmarks.rows import LoadPoint
from benchmarks.summaries import Summary


def keeps(point: LoadPoint, limit: float) -> bool:
    """Whether every request got its caption, and 99 of 100 within `limit` seconds."""
    return set(point.statuses) == {200} and Summary.of(point.latencies).p99 <= limit


async def sweep(
    measure: Callable[[float], Awaitable[LoadPoint]], start: float, limit: float, tries: int
) -> AsyncGenerator[LoadPoint, None]:
    """Measure at rates that close in on the highest one kept.

    Doubles or halves from `start` until one rate is kept and a greater one is not, then takes the
    geometric mean of the two.
    """
    kept, lost = 0.0, float("inf")
    rate = start
    for _ in range(tries):
        point = await measure(rate)
        yield point
        if keeps(point, limit):
            kept = max(kept, rate)
        else:
            lost = min(lost, rate)
        if kept and lost < float("inf"):
            rate = (kept * lost) ** 0.5
        else:
            rate = rate * 2 if kept else rate / 2
