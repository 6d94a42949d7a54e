"""A server that answers wrong fails the benchmark, whatever its speed."""

import asyncio

import pytest

from benchmarks.errors import ServerUnavailable, WrongAnswer
from benchmarks.http.client import Client, Question, Target, parse_server_timing
from benchmarks.http.verification import Verifier
from benchmarks.latency.command import sample_rounds
from benchmarks.pictures import Picture, Size, draw
from benchmarks.rows import LatencySample
from tests.benchmarks.fake_server import FakeServer, Fault, serving

PICTURES = {"tiny": draw(Size("tiny", 40, 30, 12), 0)}


def measure(server: FakeServer, verifier: Verifier | None = None) -> list[LatencySample]:
    """One recorded round, as `latency` measures it; an honest fake stands in for the bare route."""

    async def rounds() -> list[LatencySample]:
        async with serving(server) as target, serving(FakeServer()) as floor:
            measured = sample_rounds(
                [target], floor, PICTURES, rounds=1, hits=2, verifier=verifier or Verifier({})
            )
            return [row async for row in measured]

    return asyncio.run(rounds())


def test_an_honest_server_is_measured() -> None:
    """A cold request, its repeats, a new prompt and the floor are recorded, with phases."""
    rows = measure(FakeServer())
    kinds = [row.kind for row in rows]
    assert kinds == ["cold", "cached", "cached", "new prompt", "floor", "floor"]
    assert all(row.seconds > 0 for row in rows)
    assert rows[0].phases == {"read": 0.0015}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("hit for everything", "with HIT where it must be MISS"),
        ("no cache", "with MISS where it must be HIT"),
        ("wrong caption", "captioned .* 'a dog' where the caption is"),
        ("no X-Cache", "with no X-Cache header where it must be MISS"),
        ("refuses", r"status 503 \(Too many pictures.\) where a caption must be"),
        ("liar", "contradicts itself: X-Cache is MISS, cached is True"),
    ],
)
def test_a_broken_server_fails_the_benchmark(fault: Fault, message: str) -> None:
    """Each way of answering wrong ends the run with what was wrong, and gives no figures."""
    with pytest.raises(WrongAnswer, match=message):
        measure(FakeServer(fault))


def test_captions_known_beforehand_count() -> None:
    """A server that is wrong from its first answer on is found out by the model's own caption."""
    verifier = Verifier({"fake": {Question(PICTURES["tiny"].name): "what the model says"}})
    with pytest.raises(WrongAnswer, match="where the caption is 'what the model says'"):
        measure(FakeServer(), verifier)


def test_a_server_that_does_not_answer() -> None:
    """Nothing behind the URL is one clear line with what to do."""

    async def ask() -> None:
        target = Target("server", "http://127.0.0.1:9", states_cache=True)
        measured = sample_rounds([target], target, PICTURES, 1, 1, Verifier({}))
        async for _ in measured:
            pass

    with pytest.raises(ServerUnavailable, match=r"no answer from server at http://127\.0\.0\.1:9"):
        asyncio.run(ask())


def test_server_timing_is_read() -> None:
    """Durations become seconds; metrics without any are passed over."""
    header = "read;dur=0.42, cache;dur=1, total"
    assert parse_server_timing(header) == pytest.approx({"read": 0.00042, "cache": 0.001})


def test_files_of_one_picture_differ() -> None:
    """Every serial gives a file of its own, which shows the same pixels."""
    from server.captioning.image.decode import decode

    picture: Picture = PICTURES["tiny"]
    one, other = picture.as_file("1"), picture.as_file("2")
    assert one != other
    assert decode(one).tobytes() == decode(other).tobytes() == decode(picture.jpeg).tobytes()


def test_client_survives_garbage() -> None:
    """An answer that is no JSON is an answer without a caption."""
    from aiohttp import web
    from aiohttp.test_utils import TestServer

    from benchmarks.http.client import prepare

    async def garbage(request: web.Request) -> web.Response:
        return web.Response(text="[garbage")

    async def ask() -> str | None:
        app = web.Application()
        app.router.add_post("/caption", garbage)
        async with TestServer(app) as listening:
            target = Target("fake", str(listening.make_url("")).rstrip("/"), states_cache=True)
            async with Client.open(target) as client:
                return (await client.ask(await prepare(PICTURES["tiny"], None, ""))).caption

    assert asyncio.run(ask()) is None
