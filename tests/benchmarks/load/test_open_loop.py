import asyncio

import pytest

from benchmarks.load.traffic import open_loop
from tests.benchmarks.virtual_time import run_in_virtual_time


class StalledServer:
    """Answers one request at a time in 10 ms, but none before a given time."""

    def __init__(self, stalled_until: float) -> None:
        self._stalled_until = stalled_until
        self._busy = asyncio.Lock()

    async def __call__(self, item: int) -> str:
        async with self._busy:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._stalled_until - loop.time()) + 0.01)
        return f"answer {item}"


def test_the_wait_for_a_stalled_server_counts() -> None:
    """Requests that were due while the server stalled have the stall in their latency."""

    async def load() -> list[tuple[int, str, float]]:
        return await open_loop(StalledServer(1.0), range(5), [0.0, 0.25, 0.5, 0.75, 2.0])

    exchanges = run_in_virtual_time(load())
    latencies = [latency for _, _, latency in exchanges]
    assert latencies == pytest.approx([1.01, 0.77, 0.53, 0.29, 0.01])
    assert [(item, reply) for item, reply, _ in exchanges][1] == (1, "answer 1")


def test_requests_do_not_wait_for_answers() -> None:
    """Requests are sent at their times even while none is answered."""
    started: list[float] = []

    async def send(item: int) -> None:
        started.append(asyncio.get_running_loop().time())
        await asyncio.sleep(100)

    async def load() -> None:
        await open_loop(send, range(3), [0.1, 0.2, 0.3])

    run_in_virtual_time(load())
    assert started == pytest.approx([0.1, 0.2, 0.3])
