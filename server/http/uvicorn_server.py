"""uvicorn, as this server runs it: its address, its signals."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from server.errors import StartupError
from server.http.admission import Admission
from server.http.metrics import Metrics
from server.http.uvicorn_protocol import HttpProtocol, http_protocol
from server.settings import Settings

logger = logging.getLogger(__name__)

#: On every answer, uvicorn's own included: what it holds is data, never a page or part of one.
SECURITY_HEADERS = [
    ("Content-Security-Policy", "default-src 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def configure(app: ASGIApp, settings: Settings, metrics: Metrics) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http_protocol(settings.receive_timeout, metrics),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        headers=SECURITY_HEADERS,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )


class Server(uvicorn.Server):
    """uvicorn's, which says where it listens, and returns after a signal instead of dying of it.

    From the signal on /health/ready says that it leaves. For `drain_delay` seconds it goes on as
    before, but for connections, which each answer closes now, while whoever sends requests finds
    out; a second signal ends the wait. Then no caption request is admitted, and those in flight are
    finished.
    """

    def __init__(
        self, config: uvicorn.Config, admission: Admission, drain_delay: float = 0.0
    ) -> None:
        super().__init__(config)
        self._protocol = cast(type[HttpProtocol], config.http)
        self._admission = admission
        self._drain_delay = drain_delay
        self._waiting: asyncio.TimerHandle | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or []:
            host, port = each.getsockname()[:2]
            logger.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for each in SIGNALS:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in SIGNALS:
                loop.remove_signal_handler(each)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._protocol.keeps_connections = False
        if self._admission.ready and self._drain_delay:
            logger.info("not ready any more; stopping in %g s", self._drain_delay)
            self._admission.announce()
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(self._drain_delay, self._drain, sig)
        else:
            # uvicorn takes one signal more, should this timer still come, for impatience.
            if self._waiting:
                self._waiting.cancel()
            self._drain(sig)

    def _drain(self, sig: int) -> None:
        if not self.should_exit:
            logger.info("stopping; in flight: %d", self._admission.in_flight)
        self._admission.drain()
        super().handle_exit(sig, None)


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that has its address and does not listen yet.

    A port in use then shows before the model is loaded, and clients are refused until it is.
    Raises StartupError.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        raise StartupError(
            f"can't listen on {host} port {port}: {exc.strerror}; choose with --host and --port"
        ) from exc
    with listener:
        yield listener
