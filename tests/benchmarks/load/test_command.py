import asyncio

from benchmarks.load.command import sweep
from benchmarks.load.figures import keeps
from benchmarks.rows import LoadPoint


def point(rate: float, *latencies: float, statuses: dict[int, int] | None = None) -> LoadPoint:
    return LoadPoint("fake", rate, 1.0, latencies, statuses or {200: len(latencies)}, 0)


def test_the_sweep_closes_in_on_the_highest_rate_kept() -> None:
    """A server that keeps up until 100 a second is found to do so within a tenth."""
    points: list[LoadPoint] = []

    async def measure(rate: float) -> LoadPoint:
        points.append(point(rate, 0.1 if rate <= 100 else 5.0))
        return points[-1]

    asyncio.run(sweep(measure, start=4.0, limit=1.0, tries=12))
    assert len(points) == 12
    assert 90 < max(each.rate for each in points if keeps(each, 1.0)) <= 100


def test_a_start_above_the_limit_is_halved() -> None:
    """A sweep that begins too high goes down to the first rate that is kept."""
    rates: list[float] = []

    async def measure(rate: float) -> LoadPoint:
        rates.append(rate)
        return point(rate, 0.1 if rate <= 10 else 5.0)

    asyncio.run(sweep(measure, start=64.0, limit=1.0, tries=4))
    assert rates == [64.0, 32.0, 16.0, 8.0]


def test_refused_requests_break_the_limit() -> None:
    """A rate at which some requests are refused is not kept, however fast the others are."""
    assert keeps(point(1, 0.1), 1.0)
    assert not keeps(point(1, 0.1, statuses={200: 1, 503: 1}), 1.0)


def test_one_in_a_hundred_may_be_late() -> None:
    """Of 100 requests one may be late and two may not; of fewer, none may."""
    assert keeps(point(1, *[0.1] * 99, 2.0), 1.0)
    assert not keeps(point(1, *[0.1] * 98, 2.0, 2.0), 1.0)
    assert not keeps(point(1, *[0.1] * 98, 2.0), 1.0)
