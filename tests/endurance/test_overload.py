"""Ten times as many requests as the model can caption: it captions no fewer than before."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import process_time, time

import pytest

from benchmarks.pictures import SIZES, draw
from tests.endurance.figures import Figure, Report, milliseconds
from tests.endurance.load import Answer, Caller, closed_loop, open_loop
from tests.endurance.scale import scale
from tests.endurance.servers import running
from tests.scale import FULL
from tests.server.serving import ROOT

pytestmark = pytest.mark.anyio

SECONDS = scale(full=15, quick=1)
TIMES = 10
CONNECTIONS = 8


def cpu_seconds(pid: int) -> float:
    """What a process has had of all cores: utime and stime of proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def health_probe(url: str, latencies: list[float]) -> AsyncIterator[None]:
    """Ask for health all the while; how long it took is there in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.endurance.health_probe", url),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield
    output, _ = await process.communicate(b"")
    assert process.returncode == 0
    latencies += json.loads(output)


@dataclass(frozen=True, slots=True)
class Model:
    """What captions, and how much work each caption is to it."""

    module: str = "server"
    threads: int = 2
    fields: Mapping[str, str] = field(default_factory=dict)


MODELS = {
    "fixed 0.1 s": Model("tests.server.serve_fake"),
    "real, 10 beams": Model(fields={"num_beams": "10"}),
    # So cheap that on two cores its client takes from it what it would need.
    "real, 1 beam": Model(),
    "real, 1 beam, 1 thread": Model(threads=1),
}


@pytest.mark.parametrize("name", MODELS if FULL else ["real, 1 beam"])
async def test_overload(name: str, monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """Under ten times its capacity a server answers 200 and 503 alone, and /health/live as ever."""
    monkeypatch.setenv("FAKE_SECONDS", "0.1")
    model = MODELS[name]
    motif = draw(SIZES["50 KB"], 0)
    serial = count()
    health: list[float] = []
    async with (
        running("--no-cache", "--threads", str(model.threads), module=model.module) as server,
        Caller.open(server.url) as caller,
    ):

        async def ask(due: float | None = None) -> Answer:
            return await caller.caption(motif.as_file(str(next(serial))), model.fields, due)

        for _ in range(3):
            await ask()
        began = time()
        closed = await closed_loop(ask, CONNECTIONS, lambda: time() > began + SECONDS)
        peak = len(closed) / (time() - began)

        stop = asyncio.Event()
        async with health_probe(server.url, health):
            began, client, used = time(), process_time(), cpu_seconds(server.process.pid)
            load = asyncio.create_task(open_loop(ask, peak * TIMES, stop))
            await asyncio.sleep(SECONDS)
            stop.set()
            answers = await load
            seconds = time() - began
            client, used = process_time() - client, cpu_seconds(server.process.pid) - used
    captions = [answer for answer in answers if answer.status == 200]
    report.add(
        "Overload",
        name,
        {
            "capacity": Figure(peak, "/s"),
            "requests": Figure(len(answers)),
            "captioned": Figure(len(captions)),
            "goodput": Figure(
                len(captions) / seconds / peak * 100, "%", at_least=90, fails_below=10
            ),
            "p99 of captions": milliseconds(
                [answer.seconds for answer in captions], fails_above=20_000
            ),
            "client's CPU": Figure(client / seconds * 100, "%"),
            "server's CPU": Figure(used / seconds * 100, "%"),
            "health asked": Figure(len(health)),
            "p99 of health": milliseconds(health, at_most=20, fails_above=2000),
        },
    )

    assert {answer.status for answer in closed} == {200}
    assert {answer.status for answer in answers} == {200, 503}
