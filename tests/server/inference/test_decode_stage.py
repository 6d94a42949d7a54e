"""The stage that decodes pictures."""

import asyncio
import threading

import numpy as np
import pytest

from server.captioning.arrays import Pixels
from server.captioning.errors import UndecodableImage
from server.inference.decode_stage import open_decode_stage
from tests.server.fakes import PATIENCE
from tests.server.serving import until

pytestmark = pytest.mark.anyio

PIXELS = np.zeros((1, 1, 3), np.uint8)


async def test_errors_reach_the_caller() -> None:
    """A picture that can't be decoded fails its own request."""

    def decode(image: bytes) -> Pixels:
        if image == b"bad":
            raise UndecodableImage("The picture is corrupt.")
        return PIXELS

    with open_decode_stage(decode) as stage:
        with pytest.raises(UndecodableImage):
            await stage.run(b"bad")
        assert (await stage.run(b"good")) is PIXELS


async def test_one_picture_is_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second picture waits for the first; a hanging decode counts as time without progress."""
    now = 50.0
    monkeypatch.setattr("server.inference.decode_stage.monotonic", lambda: now)
    begun: list[bytes] = []
    go_on = threading.Event()

    def decode(image: bytes) -> Pixels:
        begun.append(image)
        assert go_on.wait(PATIENCE)
        return PIXELS

    with open_decode_stage(decode) as stage:
        assert stage.seconds_without_progress() == 0
        tasks = [asyncio.create_task(stage.run(name)) for name in (b"1", b"2")]
        await until(lambda: begun == [b"1"])
        now = 59.0
        assert stage.seconds_without_progress() == 9
        go_on.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*tasks)
        assert begun == [b"1", b"2"]
        await until(lambda: stage.seconds_without_progress() == 0)


async def test_a_hanging_decode_outlives_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decode that hangs counts as time without progress after its client has left."""
    now = 50.0
    monkeypatch.setattr("server.inference.decode_stage.monotonic", lambda: now)
    begun, go_on = threading.Event(), threading.Event()

    def decode(image: bytes) -> Pixels:
        begun.set()
        assert go_on.wait(PATIENCE)
        return PIXELS

    with open_decode_stage(decode) as stage:
        task = asyncio.create_task(stage.run(b"hangs"))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        task.cancel()
        await asyncio.wait([task])
        now = 57.0
        assert stage.seconds_without_progress() == 7
        go_on.set()
        await until(lambda: stage.seconds_without_progress() == 0)
