"""Trace each request: an id, the time of each phase, a log line, and the answer to an error."""

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import Refusal, refusal_for
from server.http.responses import (
    INTERNAL_ERROR,
    STOPPED,
    RenderError,
    error_response,
    render_error,
    translated,
)
from server.inference.phases import Phase
from server.inference.request import CaptionResult

logger = logging.getLogger("server.requests")

#: Probes and scrapes come so often that they would hide what people ask for.
UNCOUNTED = ("/health", "/metrics")

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Trace:
    """One request as far as it got.

    `surface` and `render_error` are those of the endpoint that the request reached. `cache` has one
    status a caption. `phases` are in seconds, in the order in which they began.
    """

    request_id: str
    surface: str = ""
    render_error: RenderError = render_error
    error_type: str | None = None
    cache: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Time a phase; an error ends it too."""
        began = perf_counter()
        try:
            yield
        finally:
            self.phases[name] = perf_counter() - began

    def add(self, result: CaptionResult) -> None:
        """Add one caption's cache status and phases. Phases of several captions add up."""
        self.cache.append(result.cache)
        for name, seconds in result.phases.items():
            self.phases[name] = self.phases.get(name, 0.0) + seconds

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self.request_id.encode())]
        if self.cache:
            headers.append((b"x-cache", ", ".join(self.cache).encode()))
        if self.phases:
            # https://www.w3.org/TR/server-timing/ has milliseconds.
            timing = ", ".join(f"{name};dur={s * 1000:.2f}" for name, s in self.phases.items())
            headers.append((b"server-timing", timing.encode()))
        return headers


class Telemetry:
    """ASGI middleware around the router: traces a request and answers every error that it raises.

    The answer has the shape of the surface that the request reached, else the server's own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = scope["state"]["trace"] = Trace(_request_id(scope))
        status = 0
        began = perf_counter()

        async def send_traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *trace.headers()]
            await send(message)

        async def refuse(refusal: Refusal) -> None:
            nonlocal status
            trace.error_type = refusal.status.error_type
            if refusal.status.scope == "unsent":
                status = refusal.status.code
            elif not status:
                response = error_response(refusal, trace.render_error)
                await response(scope, receive, send_traced)

        try:
            await self._app(scope, receive, send_traced)
        except asyncio.CancelledError:
            # uvicorn cancels requests when the time to shut down is over, and would answer 500.
            await refuse(STOPPED)
        except Exception as error:
            await refuse(refusal_of_error(error, trace.request_id))
        finally:
            seconds = perf_counter() - began
            # As sent: a decoded path may hold line breaks, which would forge lines of the log.
            path = scope["raw_path"].decode("ascii", "replace")
            _log(scope["method"], path, status, trace, seconds)
            if not scope["path"].startswith(UNCOUNTED):
                scope["state"]["metrics"].record(status, trace, seconds)


def trace_connection_refusal(refusal: Refusal) -> Trace:
    """Log a refusal of bytes that never became a request, without method and path."""
    trace = Trace(secrets.token_hex(16), error_type=refusal.status.error_type)
    _log(None, None, refusal.status.code, trace, 0.0)
    return trace


def refusal_of_error(error: Exception, request_id: str) -> Refusal:
    """Look an error up in the table. Log the traceback of one that has no row: it is a defect."""
    refusal = refusal_for(translated(error))
    if refusal is None:
        logger.error("request %s met a defect", request_id, exc_info=error)
        return INTERNAL_ERROR
    if error.__cause__ is not None:
        error_type = refusal.status.error_type
        logger.debug("request %s: cause of %s", request_id, error_type, exc_info=error.__cause__)
    return refusal


def _request_id(scope: Scope) -> str:
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if _SANE_ID.fullmatch(given) else secrets.token_hex(16)


def _log(method: str | None, path: str | None, status: int, trace: Trace, seconds: float) -> None:
    record = {
        "method": method,
        "path": path,
        "status": status,
        "cache": ",".join(trace.cache) or None,
        "ms": round(seconds * 1000, 1),
        "request_id": trace.request_id,
    }
    text = " ".join("-" if value is None else str(value) for value in record.values())
    logger.info(text, extra={"fields": record})
