"""uvicorn's server with our address handling, signals and drain delay."""

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

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def configure(app: ASGIApp, settings: Settings, metrics: Metrics) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http_protocol(settings.receive_timeout, metrics),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which logs where it listens and returns after a signal.

    A signal makes /health/ready fail and closes each connection after its answer. For `drain_delay`
    seconds requests are still admitted, until load balancers notice; a second signal ends the
    delay. Then no caption request is admitted, and requests in flight are finished.
    """

    def __init__(
        self, config: uvicorn.Config, admission: Admission, drain_delay: float = 0.0
    ) -> None:
        super().__init__(config)
        self._protocol = cast(type[HttpProtocol], config.http)
        self._admission = admission
        self._drain_delay = drain_delay
        self._drain_timer: asyncio.TimerHandle | None = None

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
            logger.info("draining: not ready; stopping in %g s", self._drain_delay)
            self._admission.announce_drain()
            loop = asyncio.get_running_loop()
            self._drain_timer = loop.call_later(self._drain_delay, self._drain, sig)
        else:
            # If this timer still fired, uvicorn would treat it as a second signal and stop at once.
            if self._drain_timer:
                self._drain_timer.cancel()
            self._drain(sig)

    def _drain(self, sig: int) -> None:
        if not self.should_exit:
            logger.info("stopping; in flight: %d", self._admission.in_flight)
        self._admission.drain()
        super().handle_exit(sig, None)


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket that does not listen yet.

    A port in use is then reported before the model is loaded, and clients are refused until it is.
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
