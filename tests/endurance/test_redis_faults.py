"""Faults of a Redis under load: no request fails, and requests lose little time."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from time import time

import pytest

from tests.endurance.figures import Figure, Report, p99
from tests.endurance.load import Answer, Caller, open_loop
from tests.endurance.redis_faults import FAULTS, Fault, Proxy, Redis
from tests.endurance.scale import scale
from tests.endurance.servers import running
from tests.server.serving import ServerProcess
from tests.server.valkey import Valkey, embedded_pid

pytestmark = pytest.mark.anyio

#: Requests before each fault, and requests while it lasts.
REQUESTS = scale(full=1500, quick=25)
RATE = scale(full=150, quick=200)
KNOWN = 50

#: Goals: milliseconds added to the p99 before and after the breaker opens, seconds to the next hit.
BEFORE_OPEN, AFTER_OPEN, RECOVERY = 150, 1, 2
MEANWHILE = scale(full=1000, quick=20)

#: The bounds, in milliseconds and seconds.
ADDED_BOUND, RECOVERY_BOUND = 2000, 20

#: A server that refuses nothing: on a busy machine requests wait, and a 503 would be no failure.
UNLIMITED = ("--max-in-flight", "10000", "--queue-size", "10000")

#: Every hit has to come from the store that fails.
FLAGS = (*UNLIMITED, "--near-cache-entries", "0")

#: Seconds in which an awaited event has to happen. It fails a test; the goals are only reported.
DEADLINE = 30

#: Part of the line that the server logs when its breaker opens.
OPENED = "The cache is unreachable"

#: The line that the server logs when its embedded Valkey runs again.
RESTARTED = "The embedded Valkey runs again"


class Mix:
    """Requests of which four in five have one of KNOWN pictures, and the fifth has a new one."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._chance = random.Random(0)
        self._serial = count()
        self._hit = asyncio.Event()

    async def ask(self, due: float) -> Answer:
        picture = b"known %d" % self._chance.randrange(KNOWN)
        if self._chance.random() < 0.2:
            picture = b"new %d" % next(self._serial)
        # The fake model captions a picture with its length, so each picture has its own length.
        picture = picture.ljust(100 + int(picture.split()[1]) + KNOWN * picture.startswith(b"new"))
        answer = await self._caller.caption(picture, sent=due)
        assert answer.caption == f"{len(picture)} bytes" or answer.status != 200
        if answer.cache == "HIT":
            self._hit.set()
        return answer

    async def breaker_opens(self) -> None:
        """Wait until the server's circuit breaker is open.

        On a busy machine timeouts can open it before the fault, so its log line is no sign.
        """
        async with asyncio.timeout(DEADLINE):
            while not await self._caller.metric("caption_cache_breaker_open"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def next_hit(self) -> float:
        """Wait for a cache hit. Return the time of it."""
        self._hit.clear()
        async with asyncio.timeout(DEADLINE):
            await self._hit.wait()
        return time()


@asynccontextmanager
async def loaded(server: ServerProcess, answers: list[Answer]) -> AsyncIterator[Mix]:
    """Put a server under steady load, and append the answers to `answers` on exit."""
    async with Caller.open(server.url) as caller:
        mix, stop = Mix(caller), asyncio.Event()
        load = asyncio.create_task(open_loop(mix.ask, RATE, stop))
        try:
            yield mix
        finally:
            stop.set()
            answers += await load


def logged(server: ServerProcess, text: str, since: float) -> float | None:
    """Return the time of the first line with `text` that the server logged after `since`."""
    for line in list(server.log):
        if text in line:
            when = datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()
            if when >= since - 0.001:
                return when
    return None


async def until_logged(server: ServerProcess, text: str, since: float) -> None:
    """Wait until the server logs a line with `text`."""
    async with asyncio.timeout(DEADLINE):
        while logged(server, text, since) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def between(answers: Sequence[Answer], begin: float, end: float) -> list[float]:
    """Return the latencies, in seconds, of the requests sent between `begin` and `end`."""
    return [answer.seconds for answer in answers if begin <= answer.sent < end]


def figures(
    answers: Sequence[Answer],
    usual: Sequence[float],
    fault: tuple[float, float],
    opened: float | None,
    recovery: float,
) -> dict[str, Figure | None]:
    began, ended = fault
    baseline = p99(usual)
    opening = between(answers, began, opened or ended)
    after = between(answers, opened, ended) if opened else []
    return {
        "requests": Figure(len(answers)),
        "meanwhile": Figure(
            len(between(answers, began, ended)), at_least=MEANWHILE, fails_below=MEANWHILE / 2
        ),
        "failed": Figure(sum(answer.status != 200 for answer in answers), at_most=0, fails_above=0),
        "usual p99": Figure(baseline, "ms"),
        "until open": Figure(len(opening)),
        "added p99 until open": added(opening, baseline, BEFORE_OPEN),
        "added p99 when open": added(after, baseline, AFTER_OPEN),
        "hits again": Figure(recovery, "s", at_most=RECOVERY, fails_above=RECOVERY_BOUND),
    }


def added(seconds: Sequence[float], baseline: float, at_most: float) -> Figure | None:
    if not seconds:
        return None
    return Figure(p99(seconds) - baseline, "ms", at_most, fails_above=ADDED_BOUND)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_fault(valkey: Valkey, fault: Fault, report: Report) -> None:
    """No request fails during a fault of Redis, and hits return when the fault ends."""
    redis = Redis(valkey, Proxy(valkey.port))
    async with redis.proxy.listening() as proxied:
        # Valkey's default user accepts any password until one is set.
        url = proxied if fault.needs_proxy else f"redis://default:one@127.0.0.1:{valkey.port}"
        answers: list[Answer] = []
        async with running("--redis-url", url, *FLAGS) as server:
            async with loaded(server, answers) as mix:
                await mix.next_hit()
                usual = time()
                await asyncio.sleep(REQUESTS / RATE)
                began = time()
                async with fault.inject(redis):
                    await asyncio.sleep(REQUESTS / RATE)
                    if fault.opens_breaker:
                        await mix.breaker_opens()
                ended = time()
                recovery = await mix.next_hit() - ended
            opened = logged(server, OPENED, since=began)
        report.add(
            "Redis faults",
            fault.name,
            figures(answers, between(answers, usual, began), (began, ended), opened, recovery),
        )

    assert {answer.status for answer in answers} == {200}
    assert "Traceback" not in "".join(server.log)


async def test_absent(valkey: Valkey, report: Report) -> None:
    """A server that starts without its Redis fails no request, and has hits once it is there."""
    valkey.kill()
    answers: list[Answer] = []
    async with running("--redis-url", valkey.url, *FLAGS) as server:
        async with loaded(server, answers) as mix:
            began = time()
            await asyncio.sleep(REQUESTS / RATE)
            await asyncio.to_thread(valkey.start)
            ended = time()
            recovery = await mix.next_hit() - ended
            usual = time()
            await asyncio.sleep(REQUESTS / RATE)
        row = figures(answers, between(answers, usual, time()), (began, ended), began, recovery)
    report.add("Redis faults", "absent at the start", row)

    assert {answer.status for answer in answers} == {200}


async def test_embedded_killed(report: Report) -> None:
    """No request fails when the embedded Valkey is killed, and hits return when it runs again."""
    answers: list[Answer] = []
    async with running(*FLAGS) as server:
        async with loaded(server, answers) as mix:
            await mix.next_hit()
            usual = time()
            await asyncio.sleep(REQUESTS / RATE)
            began = time()
            os.kill(embedded_pid(server.process.pid), signal.SIGKILL)
            # A hit that is answered before that can be from before the kill.
            await until_logged(server, RESTARTED, since=began)
            recovery = await mix.next_hit() - began
            await asyncio.sleep(REQUESTS / RATE)
            ended = time()
        opened = logged(server, OPENED, since=began)
    row = figures(answers, between(answers, usual, began), (began, ended), opened, recovery)
    report.add("Redis faults", "embedded, killed", row)

    assert {answer.status for answer in answers} == {200}
    assert "Traceback" not in "".join(server.log)
