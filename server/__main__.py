"""`python -m server`: read the settings, and run uvicorn until a signal."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import uvloop

from server.app import OpenModel, create_app, open_model, open_resources
from server.captioning.errors import ModelDirectoryError
from server.errors import StartupError
from server.http.uvicorn_server import Server, bound, configure
from server.logging import configure_logging
from server.model_source import explain, with_local_model
from server.settings import Settings


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    return run(Settings.parse(argv, environ))


def run(settings: Settings, open_model: OpenModel = open_model) -> int:
    """Serve until a signal. Return the exit status: 0, or 1 after one line on stderr."""
    configure_logging(settings)
    try:
        with bound(settings.host, settings.port) as listener:
            # Before the event loop and in this thread, so that Ctrl-C ends a download at once.
            with sigterm_exits():
                local = with_local_model(settings)
            uvloop.run(serve(local, open_model, listener))
    except (StartupError, ModelDirectoryError) as exc:
        print(f"python -m server: {explain(exc, settings.model)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


async def serve(settings: Settings, open_model: OpenModel, listener: socket.socket) -> None:
    async with open_resources(settings, open_model) as resources:
        config = configure(create_app(resources), settings, resources["metrics"])
        await Server(config, resources["admission"], settings.drain_delay).serve([listener])


@contextmanager
def sigterm_exits() -> Iterator[None]:
    """Let SIGTERM end the process within the block. As PID 1 of a container it would ignore it."""
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
