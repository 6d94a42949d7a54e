import asyncio

import numpy as np
import pytest

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Client
from benchmarks.http.verification import Verifier
from benchmarks.load.traffic import Traffic, fill_cache, measure_point
from benchmarks.pictures import Size, draw
from benchmarks.rows import LoadPoint
from tests.benchmarks.fake_server import FakeServer, Fault, serving

MOTIFS = [draw(Size("tiny", 40, 30, 12), index) for index in range(2)]


def measure(later: Fault | None = None, hit_ratio: float = 0.5) -> LoadPoint:
    """Load a server for a moment, which has a fault after its cache is filled."""
    server = FakeServer()

    async def load() -> LoadPoint:
        async with serving(server) as target, Client.open(target) as client:
            verifier = Verifier({})
            cached, seconds = await fill_cache(client, MOTIFS, 4, verifier)
            assert seconds > 0
            server.fault = later
            traffic = Traffic(MOTIFS, cached, hit_ratio, np.random.default_rng(0))
            return await measure_point(client, traffic, verifier, rate=200.0, seconds=0.2)

    return asyncio.run(load())


def test_a_rate_is_measured() -> None:
    """Every request is captioned, the cached share from the cache, and verified."""
    point = measure()
    assert point.statuses == {200: len(point.latencies)}
    assert 0 < point.hits < len(point.latencies)
    assert min(point.latencies) > 0
    assert point.seconds > 0.1


def test_a_hit_for_a_new_file_fails_the_benchmark() -> None:
    """A server can have no caption of a file that was never sent before."""
    with pytest.raises(WrongAnswer, match="with HIT where it must be MISS"):
        measure("hit for everything")


def test_a_miss_of_a_cached_file_is_no_error() -> None:
    """A busy cache costs hits: the point counts none and stands."""
    point = measure("no cache", hit_ratio=1.0)
    assert point.hits == 0
    assert point.statuses == {200: len(point.latencies)}


def test_refusals_are_counted_and_not_timed() -> None:
    """Refusals are counted by status and have no latency that makes a server look fast."""
    point = measure("refuses")
    assert point.latencies == ()
    assert set(point.statuses) == {503}
