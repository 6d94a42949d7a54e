"""SIGTERM under load, again and again: whoever goes when told to go loses nothing."""

import asyncio
import signal
from collections.abc import Callable
from time import perf_counter

import pytest

from tests.endurance.figures import Figure, Report
from tests.endurance.load import Answer, Caller, closed_loop
from tests.endurance.scale import scale
from tests.endurance.servers import running
from tests.server.serving import ServerProcess

pytestmark = pytest.mark.anyio

REPEATS = scale(full=20, quick=1)
CLIENTS = 6
DRAIN_DELAY, GRACE = 1.0, 5


async def left(caller: Caller) -> None:
    """Wait until the server is not ready, as a load balancer does."""
    async with asyncio.timeout(30):
        while True:
            async with caller.session.get(f"{caller.url}/health/ready") as got:
                if got.status == 503:
                    return
            await asyncio.sleep(0.05)


async def load(server: ServerProcess, keeps: bool, stop: Callable[[], bool]) -> list[Answer]:
    """Each client its own connections: the pictures are all new."""

    async def client(number: int) -> list[Answer]:
        async with Caller.open(server.url, keeps_connections=keeps) as caller:
            pictures = (b"%d %d" % (number, index) for index in range(1_000_000))
            return await closed_loop(lambda: caller.caption(next(pictures)), 1, stop)

    lists = await asyncio.gather(*[client(number) for number in range(CLIENTS)])
    return [answer for answers in lists for answer in answers]


@pytest.mark.parametrize("keeps", [True, False], ids=["kept connections", "new connections"])
async def test_sigterm(keeps: bool, monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """Clients that stop once the server is not ready get every caption, and it exits in time."""
    monkeypatch.setenv("FAKE_SECONDS", "0.01")
    answers: list[Answer] = []
    exits: list[float] = []
    flags = ("--no-cache", "--drain-delay", str(DRAIN_DELAY), "--shutdown-timeout", str(GRACE))
    for _ in range(REPEATS):
        async with running(*flags) as server, Caller.open(server.url) as prober:
            stop = asyncio.Event()
            loading = asyncio.create_task(load(server, keeps, stop.is_set))
            await asyncio.sleep(0.2)
            began = perf_counter()
            server.process.send_signal(signal.SIGTERM)
            await left(prober)
            # Load balancers take a moment, in which the server is to go on.
            await asyncio.sleep(DRAIN_DELAY / 3)
            stop.set()
            answers += await loading
            assert await asyncio.to_thread(server.process.wait, 30) == 0
            exits.append(perf_counter() - began)
        assert "Traceback" not in "".join(server.log)
    report.add(
        "SIGTERM",
        "kept connections" if keeps else "new connections",
        {
            "times": Figure(REPEATS),
            "requests": Figure(len(answers)),
            "dropped": Figure(sum(answer.status != 200 for answer in answers), at_most=0),
            "slowest exit": Figure(
                max(exits), "s", at_most=DRAIN_DELAY + GRACE, fails_above=DRAIN_DELAY + GRACE + 10
            ),
        },
    )

    assert {answer.status for answer in answers} == {200}


async def test_obstinate(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """Clients that go on until they can't connect are answered, if only that it stops."""
    monkeypatch.setenv("FAKE_SECONDS", "0.01")
    answers: list[Answer] = []
    for _ in range(REPEATS):
        async with running("--no-cache", "--drain-delay", "0.3") as server:
            loading = asyncio.create_task(
                load(server, True, lambda: server.process.poll() is not None)
            )
            await asyncio.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                answers += await loading
    refused = [answer for answer in answers if not answer.status and "Connector" in answer.error]
    lost = [answer for answer in answers if not answer.status and "Connector" not in answer.error]
    report.add(
        "SIGTERM",
        "clients that never go",
        {
            "times": Figure(REPEATS),
            "requests": Figure(len(answers) - len(refused)),
            # A client that never goes loses its last connection at most: the listener closes.
            "dropped": Figure(len(lost), at_most=0, fails_above=CLIENTS * REPEATS),
        },
    )

    assert {answer.status for answer in answers} - {0} <= {200, 503}
