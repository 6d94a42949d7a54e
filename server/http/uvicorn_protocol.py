"""uvicorn's HTTP protocol, with what it lacks on the open internet.

Limits, errors in JSON, and an answer for a request that meets the server's end.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.errors import error_response
from server.http.metrics import Metrics
from server.http.telemetry import trace_refusal

#: Bytes of a header that has not ended, as many as uvicorn's other parser takes. httptools takes
#: any amount, and for each piece more time than for the last.
MAX_HEADER = 65_536

#: Seconds that an idle connection stays when the server stops: a request may be on its way.
LINGER = 0.25


class HttpProtocol(HttpToolsProtocol):
    """A connection with `receive_timeout` seconds for a request to arrive.

    While a request is being answered the time starts over: reading its body has a limit of its
    own, and a pipelined request behind it can't arrive for reasons that aren't its sender's.
    """

    receive_timeout: ClassVar[float]
    metrics: ClassVar[Metrics]
    #: Whether connections outlive an answer; not once the server is about to stop.
    keeps_connections: ClassVar[bool] = True
    _deadline: asyncio.TimerHandle | None = None
    _header_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Not only where a message begins: line breaks before one are silently skipped.
        self._arm()
        self._header_size += len(data)
        super().data_received(data)
        if self._header_size > MAX_HEADER:
            self._cut_off(431, "header_too_large", f"The header is over {MAX_HEADER} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arm()

    def on_body(self, body: bytes) -> None:
        # What comes behind a body is its trailer, which has the header's limit once more.
        self._header_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._header_size = 0
        self._disarm()
        # Not before a body has come: closed while it does, a connection loses its answer too.
        if not self.keeps_connections:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER, super().shutdown)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed_request", "The request is no valid HTTP; see RFC 9112.")

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.receive_timeout, self._end)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _end(self) -> None:
        self._deadline = None
        if self._answering and not self.transport.is_closing():
            self._arm()
        else:
            message = f"The request did not arrive within {self.receive_timeout:g} seconds."
            self._cut_off(408, "request_timeout", message)

    def _cut_off(self, code: int, error_type: str, message: str) -> None:
        """Close the connection, and say why if that can't be taken for another request's answer."""
        # uvicorn makes a scope when a message begins, and its cycle when the header is complete.
        half_header = self.scope is not None and (
            not self.cycle or self.cycle.scope is not self.scope
        )
        if half_header and not self._answering and not self.transport.is_closing():
            self._refuse(code, error_type, message)
        else:
            self.transport.close()

    def _refuse(self, code: int, error_type: str, message: str) -> None:
        trace = trace_refusal(code, error_type)
        self.metrics.record(code, trace, 0.0)
        answer = error_response(code, error_type, message, {"Connection": "close"})
        headers = [
            *self.server_state.default_headers,
            *answer.raw_headers,
            *trace.headers(),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[code], *lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()


def http_protocol(receive_timeout: float, metrics: Metrics) -> type[HttpProtocol]:
    """The protocol with what it needs, as uvicorn's configuration takes it: a class."""
    namespace = {"receive_timeout": receive_timeout, "metrics": metrics}
    return type("HttpProtocol", (HttpProtocol,), namespace)
