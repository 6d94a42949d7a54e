"""The search for the highest rate at which a server keeps a latency limit."""

from collections.abc import Awaitable, Callable

from benchmarks.rows import LoadPoint

#: The share of requests that must be captioned within the limit.
KEPT = 0.99


def keeps(point: LoadPoint, limit: float) -> bool:
    """Return whether every request got a caption, and 99 % of them within `limit` seconds.

    This counts late requests instead of reading a percentile, so it holds for any sample size:
    below 100 requests none may be late.
    """
    within = sum(latency <= limit for latency in point.latencies)
    return set(point.statuses) == {200} and within >= KEPT * len(point.latencies)


async def sweep(
    measure: Callable[[float], Awaitable[LoadPoint]], start: float, limit: float, tries: int
) -> None:
    """Measure at rates that close in on the highest rate kept.

    The rate doubles or halves from `start` until one is kept and a greater one is not. Then it is
    the geometric mean of the two.
    """
    kept, lost = 0.0, float("inf")
    rate = start
    for _ in range(tries):
        if keeps(await measure(rate), limit):
            kept = max(kept, rate)
        else:
            lost = min(lost, rate)
        if kept and lost < float("inf"):
            rate = (kept * lost) ** 0.5
        else:
            rate = rate * 2 if kept else rate / 2
