"""Senders of a byte now and then, many of them: closed at the deadline, and nobody else minds."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from time import time

import pytest

from tests.endurance.figures import Figure, Report, p99
from tests.endurance.load import Answer, Caller, open_loop
from tests.endurance.scale import scale
from tests.endurance.servers import running
from tests.server.http.test_slow_clients import BODY, HEADER

pytestmark = pytest.mark.anyio

SENDERS = 200
RECEIVE_TIMEOUT = scale(full=10.0, quick=0.5)
RATE = 100
SECONDS_BETWEEN_BYTES = scale(full=0.5, quick=0.1)
#: Seconds in which all of them come.
ARRIVAL = scale(full=1.0, quick=0.1)

#: What each has sent at once: nothing, half a header, the beginning of a form, of a file.
KINDS = (b"", HEADER[:40], HEADER + b"--b\r\n", HEADER + BODY)


async def trickle(port: int, beginning: bytes, after: float) -> float:
    """Send byte after byte until the server ends it; the seconds that it let this one."""
    await asyncio.sleep(after)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time()
    writer.write(beginning)
    ended = asyncio.create_task(reader.read())
    async with asyncio.timeout(60):
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait([ended], timeout=SECONDS_BETWEEN_BYTES)
    seconds = time() - began
    writer.close()
    with suppress(OSError):
        await ended
        await writer.wait_closed()
    return seconds


@pytest.mark.parametrize("kinds", [KINDS, KINDS[-1:]], ids=["of all kinds", "of bodies"])
async def test_trickling(kinds: Sequence[bytes], report: Report) -> None:
    """All of them are closed by the deadline, and others are served as fast as ever meanwhile."""
    async with (
        running("--no-cache", "--receive-timeout", str(RECEIVE_TIMEOUT)) as server,
        Caller.open(server.url) as caller,
    ):
        pictures = count()

        async def ask(due: float) -> Answer:
            return await caller.caption(b"%d" % next(pictures), sent=due)

        stop = asyncio.Event()
        load = asyncio.create_task(open_loop(ask, RATE, stop))
        await asyncio.sleep(RECEIVE_TIMEOUT)
        began = time()
        senders = [
            trickle(server.port, kinds[number % len(kinds)], ARRIVAL * number / SENDERS)
            for number in range(SENDERS)
        ]
        lasted = await asyncio.gather(*senders)
        ended = time()
        stop.set()
        answers = await load
    before = [answer.seconds for answer in answers if answer.sent < began]
    meanwhile = [answer.seconds for answer in answers if began <= answer.sent < ended]
    report.add(
        "Trickling senders",
        "of bodies" if len(kinds) == 1 else "of all kinds",
        {
            "senders": Figure(len(lasted)),
            "longest": Figure(
                max(lasted), "s", RECEIVE_TIMEOUT + 0.5, fails_above=RECEIVE_TIMEOUT + 10
            ),
            "others": Figure(len(meanwhile)),
            "failed": Figure(sum(answer.status != 200 for answer in answers), at_most=0),
            "usual p99": Figure(p99(before), "ms"),
            "p99 meanwhile": Figure(p99(meanwhile), "ms", fails_above=2000),
            "times": Figure(p99(meanwhile) / p99(before), "x", at_most=2),
        },
    )

    assert len(lasted) == SENDERS
    assert {answer.status for answer in answers} <= {200, 503}
