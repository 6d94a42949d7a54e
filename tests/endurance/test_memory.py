"""Thousands of requests of every kind, with the real model: memory stays what it was."""

from collections import Counter
from pathlib import Path

import pytest

from tests.endurance.figures import Figure, Report
from tests.endurance.load import Answer, Caller, closed_loop
from tests.endurance.scale import scale
from tests.endurance.servers import running
from tests.endurance.traffic import Traffic
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

REQUESTS = scale(full=20_000, quick=200)
CONNECTIONS = 4

#: A sample every so many requests.
EVERY = REQUESTS // 100


def resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise ProcessLookupError(pid)


async def test_memory(valkey: Valkey, report: Report) -> None:
    """Every request gets a status that its kind may get, and memory is flat."""
    traffic = Traffic()
    kinds: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    samples: list[float] = []
    flags = ("--redis-url", valkey.url, "--threads", "2")
    async with running(*flags, module="server") as server, Caller.open(server.url) as caller:
        pid = server.process.pid

        async def ask() -> Answer:
            message = traffic.next()
            answer = await caller.post(message.body, message.path, message.content_type)
            assert answer.status in message.statuses, (message.kind, answer)
            kinds[message.kind] += 1
            statuses[answer.status] += 1
            if statuses.total() % EVERY == 0:
                samples.append(resident_megabytes(pid))
            return answer

        await closed_loop(ask, CONNECTIONS, lambda: kinds.total() >= REQUESTS)
    half = len(samples) // 2
    report.add(
        "Memory",
        "mixed requests",
        {
            **{kind: Figure(number) for kind, number in sorted(kinds.items())},
            "5xx": Figure(sum(n for status, n in statuses.items() if status >= 500), at_most=0),
            "at the start": Figure(samples[0], "MB"),
            "at half": Figure(samples[half - 1], "MB"),
            "at the end": Figure(samples[-1], "MB"),
            "most": Figure(max(samples), "MB", fails_above=600),
            "growth": Figure(
                (samples[-1] / samples[half - 1] - 1) * 100, "%", at_most=5, fails_above=30
            ),
        },
    )

    assert "Traceback" not in "".join(server.log)
