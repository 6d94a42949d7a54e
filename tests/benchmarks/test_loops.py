import asyncio

import pytest

from benchmarks.load.loops import closed_loop, open_loop
from benchmarks.load.sweep import keeps, sweep
from benchmarks.rows import LoadPoint
from tests.benchmarks.virtual_time import run_in_virtual_time


class StalledServer:
    """Answers one request at a time in 10 ms, but nobody before a moment."""

    def __init__(self, stalled_until: float) -> None:
        self._stalled_until = stalled_until
        self._busy = asyncio.Lock()

    async def __call__(self, item: int) -> str:
        async with self._busy:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._stalled_until - loop.time()) + 0.01)
        return f"answer {item}"


def test_open_loop_counts_the_wait_for_a_stalled_server() -> None:
    """Requests that were to be sent while the server stalled have the stall in their latency."""

    async def load() -> list[float]:
        times = [0.0, 0.25, 0.5, 0.75, 2.0]
        exchanges = await open_loop(StalledServer(1.0), range(5), times)
        return [each.latency for each in exchanges]

    latencies = run_in_virtual_time(load())
    assert latencies == pytest.approx([1.01, 0.77, 0.53, 0.29, 0.01])


def test_closed_loop_hides_a_stall() -> None:
    """The same stall meets only the one request in flight: why open loops are there as well."""

    async def draw() -> int:
        return 0

    async def load() -> list[float]:
        exchanges = await closed_loop(StalledServer(1.0), draw, connections=1, seconds=1.5)
        return [each.latency for each in exchanges]

    latencies = run_in_virtual_time(load())
    assert latencies[0] == pytest.approx(1.01)
    assert latencies[1:] == pytest.approx([0.01] * (len(latencies) - 1))


def test_open_loop_does_not_wait_for_answers() -> None:
    """Requests are sent at their times even while none is answered."""
    started: list[float] = []

    async def send(item: int) -> None:
        started.append(asyncio.get_running_loop().time())
        await asyncio.sleep(100)

    async def load() -> None:
        await open_loop(send, range(3), [0.1, 0.2, 0.3])

    run_in_virtual_time(load())
    assert started == pytest.approx([0.1, 0.2, 0.3])


def point(rate: float, latency: float, statuses: dict[int, int] | None = None) -> LoadPoint:
    return LoadPoint("fake", "open", rate, 1.0, (latency,), statuses or {200: 1}, 0, 0)


def test_sweep_closes_in_on_the_highest_rate_kept() -> None:
    """A server that keeps up until 100 a second is found to do so within a tenth."""

    async def measure(rate: float) -> LoadPoint:
        return point(rate, 0.1 if rate <= 100 else 5.0)

    async def search() -> list[LoadPoint]:
        return [each async for each in sweep(measure, start=4.0, limit=1.0, tries=12)]

    points = run_in_virtual_time(search())
    assert 90 < max(each.level for each in points if keeps(each, 1.0)) <= 100


def test_refused_requests_break_the_limit() -> None:
    """A rate at which some are refused is not kept, however quick the rest is."""
    assert keeps(point(1, 0.1), 1.0)
    assert not keeps(point(1, 0.1, {200: 1, 503: 1}), 1.0)
    assert not keeps(point(1, 2.0), 1.0)
