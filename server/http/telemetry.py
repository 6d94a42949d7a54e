"""What a request leaves behind: an id, how long each phase took, one line in the log."""

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import internal_error, stopped

logger = logging.getLogger("server.requests")

#: nginx's status for a client that left before its answer; nobody receives it.
CLIENT_LEFT = 499

#: What machines ask for all the time would drown what people ask for.
UNCOUNTED = ("/health", "/metrics")

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Trace:
    """One request as far as it got; phases are in seconds and keep their order."""

    request_id: str
    cache: str | None = None
    error_type: str | None = None
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self.phases[name] = perf_counter() - began

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self.request_id.encode())]
        if self.cache:
            headers.append((b"x-cache", self.cache.encode()))
        if self.phases:
            # https://www.w3.org/TR/server-timing/ has milliseconds.
            timing = ", ".join(f"{name};dur={s * 1000:.2f}" for name, s in self.phases.items())
            headers.append((b"server-timing", timing.encode()))
        return headers


class Telemetry:
    """ASGI middleware around everything: also the last place that an unforeseen error reaches."""

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

        try:
            await self._app(scope, receive, send_traced)
        except ClientDisconnect:
            status, trace.error_type = CLIENT_LEFT, "client_left"
        except asyncio.CancelledError:
            # uvicorn cancels at the end of the grace, and would answer 500.
            trace.error_type = "draining"
            if not status:
                await stopped()(scope, receive, send_traced)
        except Exception:
            logger.exception("request %s met a defect", trace.request_id)
            trace.error_type = "internal_error"
            if not status:
                await internal_error()(scope, receive, send_traced)
        finally:
            seconds = perf_counter() - began
            # As sent: decoded, a path may hold line breaks and forge lines of log.
            path = scope["raw_path"].decode("ascii", "replace")
            _log(scope["method"], path, status, trace, seconds)
            if not scope["path"].startswith(UNCOUNTED):
                scope["state"]["metrics"].record(status, trace, seconds)


def trace_refusal(status: int, error_type: str) -> Trace:
    """What is left, after its line in the log, of a request that had no method or path yet."""
    trace = Trace(secrets.token_hex(16), error_type=error_type)
    _log(None, None, status, trace, 0.0)
    return trace


def _request_id(scope: Scope) -> str:
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if _SANE_ID.fullmatch(given) else secrets.token_hex(16)


def _log(method: str | None, path: str | None, status: int, trace: Trace, seconds: float) -> None:
    record = {
        "method": method,
        "path": path,
        "status": status,
        "cache": trace.cache,
        "ms": round(seconds * 1000, 1),
        "request_id": trace.request_id,
    }
    text = " ".join("-" if value is None else str(value) for value in record.values())
    logger.info(text, extra={"fields": record})
