"""uvicorn's HTTP protocol with limits on header size and receive time, and with errors in JSON."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.errors import HeaderTooLarge, MalformedRequest, RequestError, RequestTimeout
from server.http.metrics import Metrics
from server.http.responses import error_response, refusal_of
from server.http.security_headers import SECURITY_HEADERS
from server.http.telemetry import trace_connection_refusal

#: Maximum bytes of a header, as in uvicorn's h11 protocol. httptools has no limit, and each further
#: piece of a header takes it more time than the one before.
MAX_HEADER = 65_536

#: Seconds that an idle connection stays open after shutdown began: a request may be on its way.
LINGER = 0.25


class HttpProtocol(HttpToolsProtocol):
    """A connection that gives each request `receive_timeout` seconds to arrive.

    The time starts over while a request is answered. Its body has a limit of its own, and a
    pipelined request behind it may be late for reasons that are not its client's.
    """

    receive_timeout: ClassVar[float]
    metrics: ClassVar[Metrics]
    #: Whether a connection stays open after an answer. False once the server is about to stop.
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
        # Not only in on_message_begin: the parser skips line breaks before a message silently.
        self._arm()
        self._header_size += len(data)
        super().data_received(data)
        if self._header_size > MAX_HEADER:
            self._cut_off(HeaderTooLarge(f"The header is over {MAX_HEADER} bytes; send less."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arm()

    def on_body(self, body: bytes) -> None:
        # A trailer follows the body. It has the header's limit again.
        self._header_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._header_size = 0
        self._disarm()
        # Not before the body has arrived: a connection closed meanwhile loses its answer too.
        if not self.keeps_connections:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER, super().shutdown)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(MalformedRequest("The request is not valid HTTP; see RFC 9112."))

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
            self._cut_off(RequestTimeout(message))

    def _cut_off(self, error: RequestError) -> None:
        """Close the connection. Answer first, unless that could pass for another request's answer.

        uvicorn creates a scope when a message begins, and its cycle when the header is complete.
        """
        half_header = self.scope is not None and (
            not self.cycle or self.cycle.scope is not self.scope
        )
        if half_header and not self._answering and not self.transport.is_closing():
            self._refuse(error)
        else:
            self.transport.close()

    def _refuse(self, error: RequestError) -> None:
        """Answer bytes that never became a request, and close the connection."""
        refusal = refusal_of(error)
        trace = trace_connection_refusal(refusal)
        self.metrics.record(refusal.status.code, trace, 0.0)
        answer = error_response(refusal)
        headers = [
            *self.server_state.default_headers,
            *SECURITY_HEADERS,
            *answer.raw_headers,
            *trace.headers(),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        status_line = STATUS_LINE[refusal.status.code]
        self.transport.write(b"".join([status_line, *lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()


def http_protocol(receive_timeout: float, metrics: Metrics) -> type[HttpProtocol]:
    """Build the protocol class that uvicorn's configuration takes."""
    namespace = {"receive_timeout": receive_timeout, "metrics": metrics}
    return type("HttpProtocol", (HttpProtocol,), namespace)
