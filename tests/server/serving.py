"""Run the app around a captioner, in this process or in one of its own."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from server.app import create_app, open_resources
from server.http.state import Resources
from server.http.uvicorn_server import Server, bound, configure
from server.settings import Settings
from tests.server.fakes import FakeModel

ROOT = Path(__file__).parents[2]

#: Seconds until a server process that does not listen is killed.
START_TIMEOUT = 120


async def until(condition: Callable[[], bool]) -> None:
    """Run the event loop until a condition holds that no event announces; fail after 30 s."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


def wait_until(condition: Callable[[], bool]) -> None:
    """Ask another process again and again until a condition holds; fail after 30 s."""
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline, "The condition did not hold within 30 seconds."


async def all_waiting(resources: Resources, count: int) -> None:
    """Wait until `count` requests wait for inference, their own or an equal request's."""
    await until(lambda: resources["service"].waiting == count)


async def acquired(semaphore: threading.Semaphore) -> None:
    """Wait until another thread releases a semaphore; fail after 30 s."""
    assert await asyncio.to_thread(semaphore.acquire, timeout=30)


@dataclass(frozen=True)
class App:
    captioner: FakeModel
    resources: Resources
    client: httpx.AsyncClient

    async def caption(
        self,
        image: bytes = b"picture",
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return await self.client.post(
            "/caption", files={"image": image}, data=fields, headers=headers
        )


@asynccontextmanager
async def app(captioner: FakeModel | None = None, **options: Any) -> AsyncIterator[App]:
    """Run the app behind an HTTP client without a socket.

    Its cache is `redis_url`, or none. It has no near cache unless `near_cache_entries` is given.
    """
    captioner = captioner or FakeModel()
    defaults = {"no_cache": "redis_url" not in options, "near_cache_entries": 0}
    settings = Settings(**{**defaults, **options})
    async with open_resources(settings, lambda _: captioner) as resources:
        transport = httpx.ASGITransport(create_app(resources))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            yield App(captioner, resources, client)


@dataclass(frozen=True)
class ListeningApp:
    resources: Resources
    server: Server
    serving: asyncio.Task[None]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def listening_app(captioner: FakeModel, **options: Any) -> AsyncIterator[ListeningApp]:
    """Run the app under a real uvicorn in this event loop."""
    settings = Settings(**{"no_cache": True, **options})
    async with open_resources(settings, lambda _: captioner) as resources:
        config = configure(create_app(resources), settings, resources["metrics"])
        server = Server(config, resources["admission"])
        with bound("127.0.0.1", 0) as listener:
            serving = asyncio.create_task(server.serve([listener]))
            await until(lambda: server.started)
            try:
                yield ListeningApp(resources, server, serving, listener.getsockname()[1])
            finally:
                captioner.gate.set()
                server.should_exit = True
                await serving


@dataclass
class ServerProcess:
    """A server in a process of its own, which listens."""

    process: subprocess.Popen[str]
    port: int
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def clean_environment() -> dict[str, str]:
    """Return the environment without CAPTION_ variables, with malloc set as scripts/serve does."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CAPTION_")}
    return {**kept, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


@contextmanager
def server_process(
    *flags: str,
    module: str = "tests.server.serve_fake",
    environment: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
) -> Iterator[ServerProcess]:
    """Run a server, by default with a fake captioner, on a free port until the block ends.

    `within` is a command that runs the server by exec, so that the process is the server's.
    """
    with subprocess.Popen(
        [*within, sys.executable, "-m", module, "--port", "0", *flags],
        cwd=ROOT,
        env=environment or clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        log: list[str] = []
        port = None
        give_up = threading.Timer(START_TIMEOUT, process.kill)
        give_up.start()
        for line in process.stderr:
            log.append(line)
            if found := re.search(r"listening on http://.*:(\d+)", line):
                port = int(found[1])
                break
        give_up.cancel()
        assert port, f"the server did not start: {''.join(log)}"
        # Without a reader the server would block on a full pipe.
        reader = threading.Thread(target=log.extend, args=(process.stderr,))
        reader.start()
        try:
            yield ServerProcess(process, port, log)
        finally:
            process.kill()
            reader.join()
