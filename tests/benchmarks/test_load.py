import asyncio
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Client
from benchmarks.http.verification import Verifier
from benchmarks.load import figures
from benchmarks.load.points import Level, Traffic, fill_cache, measure_closed, measure_open
from benchmarks.pictures import Size, draw
from benchmarks.rows import LoadPoint
from tests.benchmarks.fake_server import FakeServer, serving
from tests.benchmarks.recorded import load_run

MOTIFS = [draw(Size("tiny", 40, 30, 12), index) for index in range(2)]


def load(server: FakeServer, hit_ratio: float = 0.5) -> list[LoadPoint]:
    """A closed and an open loop of a moment each."""

    async def measure() -> list[LoadPoint]:
        async with serving(server) as target, Client.open(target) as client:
            verifier = Verifier({})
            popular = await fill_cache(client, MOTIFS, 4, verifier)
            traffic = Traffic(MOTIFS, popular, hit_ratio, np.random.default_rng(0))
            level = Level(client, traffic, verifier, seconds=0.2)
            return [await measure_closed(level, 2), await measure_open(level, 100.0)]

    return asyncio.run(measure())


def test_both_loops_are_measured() -> None:
    """Every request is captioned, popular ones from the cache, and verified."""
    for point in load(FakeServer()):
        assert point.statuses == {200: len(point.latencies)}
        assert point.hits == point.expected_hits > 0
        assert min(point.latencies) > 0


def test_a_hit_for_a_new_file_fails_the_benchmark() -> None:
    """A server can't have a caption for what was never sent before."""

    class TurnsBad(FakeServer):
        def turn(self) -> None:
            self.fault = "hit for everything"

    server = TurnsBad()

    async def measure() -> None:
        async with serving(server) as target, Client.open(target) as client:
            verifier = Verifier({})
            popular = await fill_cache(client, MOTIFS, 2, verifier)
            server.turn()
            traffic = Traffic(MOTIFS, popular, 0.5, np.random.default_rng(0))
            await measure_closed(Level(client, traffic, verifier, seconds=0.1), 1)

    with pytest.raises(WrongAnswer, match="with HIT where it must be MISS: it can't know"):
        asyncio.run(measure())


def test_refusals_are_counted_not_timed() -> None:
    """Errors are counted by status, and no latency of theirs makes a server look quick."""

    class Refuses(FakeServer):
        def turn(self) -> None:
            self.fault = "refuses"

    server = Refuses()

    async def measure() -> LoadPoint:
        async with serving(server) as target, Client.open(target) as client:
            popular = await fill_cache(client, MOTIFS, 2, Verifier({}))
            server.turn()
            traffic = Traffic(MOTIFS, popular, 0.5, np.random.default_rng(0))
            return await measure_closed(Level(client, traffic, Verifier({}), seconds=0.1), 1)

    point = asyncio.run(measure())
    assert point.latencies == ()
    assert set(point.statuses) == {503}
    assert "of 503" in figures.errors(point)


def test_figures_of_recorded_points() -> None:
    """Throughput, goodput and the highest rate kept."""
    run = load_run()
    _, closed, _, refused = figures.points_of(run)
    assert figures.throughput(closed) == 10
    assert figures.goodput(refused, limit=0.5) == 0
    assert figures.best_rate(run, "ours", limit=1.0) == 8


def test_every_point_is_a_multiple_of_its_floor() -> None:
    """A request takes the route's 10 ms and, for one in ten of them no hit, a caption's 0.4 s."""
    run = load_run()
    route, closed, kept, _ = figures.points_of(run)
    assert figures.least_seconds(run, route) == pytest.approx(0.01)
    assert figures.of_its_floor(run, route) == "1x"
    assert figures.least_seconds(run, closed) == pytest.approx(0.01 + 0.1 * 0.4)
    assert figures.of_its_floor(run, closed) == "2x"
    assert figures.least_seconds(run, kept) == pytest.approx(0.01 + 0.4 / 8)
    assert "ours (fp32): 400 ms, of which 300 ms to encode and 10 tokens" in figures.floor_note(run)


def test_captions_of_unknown_cost_have_no_floor() -> None:
    """Without a model's floor, or without the route's rate, only what is known is compared."""
    run = load_run()
    points = figures.points_of(run)
    unknown = replace(run, rows=tuple(points))
    assert figures.of_its_floor(unknown, points[1]) == "-"
    assert figures.of_its_floor(unknown, replace(points[1], hits=10)) == "10x"
    assert figures.of_its_floor(replace(run, rows=tuple(points[1:])), points[1]) == "-"
    refused = replace(points[1], latencies=(), hits=0)
    assert figures.of_its_floor(run, refused) == "-"
    assert "not measured" in figures.floor_note(unknown)
