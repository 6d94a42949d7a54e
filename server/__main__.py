"""`python -m server`: command line -> settings -> uvicorn."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import uvicorn
import uvloop

from server.app import OpenCaptioner, create_app, open_captioner, running
from server.captioning.errors import ModelDirectoryError
from server.errors import StartupError
from server.logs import configure_logging
from server.settings import Settings

logger = logging.getLogger("server")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    return run(Settings.parse(argv, environ))


def run(settings: Settings, open_captioner: OpenCaptioner = open_captioner) -> int:
    """Serve until a signal. The exit status: 0, or 1 with one line on stderr for no start."""
    configure_logging(settings)
    try:
        with listening(settings.host, settings.port) as listener:
            uvloop.run(serve(settings, open_captioner, listener))
    except (StartupError, ModelDirectoryError) as exc:
        print(f"python -m server: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


async def serve(settings: Settings, open_captioner: OpenCaptioner, listener: socket.socket) -> None:
    async with running(create_app(settings, open_captioner)) as app:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            # Entered above, where an error in it is an exception and not a logged traceback.
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.shutdown_timeout,
        )
        await Server(config).serve([listener])


class Server(uvicorn.Server):
    """uvicorn's, which says where it listens, and after a signal returns instead of dying of it."""

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


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket: before the model is loaded, as that may take long and a port in use doesn't.

    It doesn't listen yet: until the server can answer, clients are refused. Raises StartupError.
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
