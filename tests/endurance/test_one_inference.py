"""One inference for one new picture, however many ask, at how many servers."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.endurance.figures import Figure, Report
from tests.endurance.load import Answer, Caller
from tests.endurance.scale import scale
from tests.server.serving import until
from tests.server.test_replicas import gate as gate
from tests.server.test_replicas import replicas
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

SERVERS = scale(full=4, quick=2)
CALLERS = 32
ROUNDS = scale(full=50, quick=1)
DEATHS = scale(full=10, quick=1)


async def test_stampede(valkey: Valkey, monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """Clients of all servers that ask at once for a new picture cost one inference."""
    monkeypatch.setenv("FAKE_SECONDS", "0.2")
    inferences: list[int] = []
    answers: list[Answer] = []
    async with replicas(valkey, SERVERS) as servers, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Caller.open(each.url)) for each in servers]

        async def inferred() -> int:
            return int(sum([await each.metric("caption_cache_misses_total") for each in clients]))

        for number in range(ROUNDS):
            before = await inferred()
            requests = [
                each.caption(b"new %d" % number) for each in clients for _ in range(CALLERS)
            ]
            answers += await asyncio.gather(*requests)
            inferences.append(await inferred() - before)
    report.add(
        "One inference",
        f"{SERVERS} servers, {CALLERS} callers each",
        {
            "rounds": Figure(ROUNDS),
            "requests": Figure(len(answers)),
            "failed": Figure(sum(answer.status != 200 for answer in answers), at_most=0),
            "most inferences in a round": Figure(max(inferences), at_most=1),
        },
    )

    assert {answer.status for answer in answers} == {200}
    assert set(inferences) == {1}


async def asked(caller: Caller) -> list[asyncio.Task[Answer]]:
    """Requests for one picture, once the server has all of them."""
    tasks = [asyncio.create_task(caller.caption(b"new")) for _ in range(CALLERS)]
    async with asyncio.timeout(30):
        while await caller.metric("caption_requests_in_flight") < CALLERS:
            pass
    return tasks


async def test_leader_is_killed(valkey: Valkey, gate: Path, report: Report) -> None:
    """If the server that infers is killed, one other does, and nobody at the others fails."""
    inferences: list[int] = []
    answers: list[Answer] = []
    for _ in range(DEATHS):
        async with replicas(valkey, SERVERS) as servers, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(Caller.open(each.url)) for each in servers]
            lost = await asked(clients[0])
            await until(lambda: bool(valkey.client().keys("*:lease")))
            waiting = [task for each in clients[1:] for task in await asked(each)]

            servers[0].process.kill()
            await asyncio.to_thread(gate.touch)
            answers += await asyncio.gather(*waiting)
            assert {answer.status for answer in await asyncio.gather(*lost)} == {0}
            misses = [await each.metric("caption_cache_misses_total") for each in clients[1:]]
            # The one that was killed had begun one too.
            inferences.append(1 + int(sum(misses)))
        await asyncio.to_thread(gate.unlink)
        valkey.client().flushall()
    report.add(
        "One inference",
        f"the leader of {SERVERS} is killed",
        {
            "rounds": Figure(DEATHS),
            "requests": Figure(len(answers)),
            "failed": Figure(sum(answer.status != 200 for answer in answers), at_most=0),
            "most inferences in a round": Figure(max(inferences), at_most=2),
        },
    )

    assert {answer.status for answer in answers} == {200}
    assert set(inferences) == {2}
