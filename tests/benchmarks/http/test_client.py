import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.http.client import Answer, Client, Target, parse_server_timing, prepare
from benchmarks.pictures import Size, draw
from server.captioning.image.decode import decode

PICTURE = draw(Size("tiny", 40, 30, 12), 0)


def test_server_timing_is_read() -> None:
    """Durations become seconds; metrics without a duration are passed over."""
    header = "read;dur=0.42, cache;dur=1, total"
    assert parse_server_timing(header) == pytest.approx({"read": 0.00042, "cache": 0.001})


def test_files_of_one_picture_differ() -> None:
    """Every serial gives a file of its own with the same pixels."""
    one, other = PICTURE.as_file("1"), PICTURE.as_file("2")
    assert one != other
    assert decode(one).tobytes() == decode(other).tobytes() == decode(PICTURE.jpeg).tobytes()


def test_an_answer_without_json_has_no_caption() -> None:
    """A body that is no JSON is an answer with a status and without a caption."""

    async def garbage(request: web.Request) -> web.Response:
        return web.Response(text="[garbage")

    async def ask() -> Answer:
        app = web.Application()
        app.router.add_post("/caption", garbage)
        async with TestServer(app) as listening:
            target = Target("fake", str(listening.make_url("")).rstrip("/"))
            async with Client.open(target) as client:
                return await client.ask(await prepare(PICTURE, None, ""))

    answer = asyncio.run(ask())
    assert (answer.status, answer.caption) == (200, None)
