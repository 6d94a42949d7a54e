"""uvicorn's HTTP protocol, with what it lacks on the open internet: time limits, errors in JSON."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.errors import error_response


class HttpProtocol(HttpToolsProtocol):
    """A connection with `receive_timeout` seconds for a request to arrive.

    While a request is being answered the time starts over: reading its body has a limit of its
    own, and a pipelined request behind it can't arrive for reasons that aren't its sender's.
    """

    receive_timeout: ClassVar[float]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Not only where a message begins: line breaks before one are silently skipped.
        self._arm()
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arm()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._disarm()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed_request", "The request is no valid HTTP; see RFC 9112.")

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.receive_timeout, self._end)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        # uvicorn makes a scope when a message begins, and its cycle when the header is complete.
        half_header = self.scope is not None and (
            not self.cycle or self.cycle.scope is not self.scope
        )
        if answering:
            self._arm()
        elif half_header:
            self._refuse(
                408,
                "request_timeout",
                f"The request did not arrive within {self.receive_timeout:g} seconds.",
            )
        else:
            self.transport.close()

    def _refuse(self, code: int, error_type: str, message: str) -> None:
        answer = error_response(code, error_type, message, {"Connection": "close"})
        headers = [*self.server_state.default_headers, *answer.raw_headers]
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[code], *lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()


def http_protocol(receive_timeout: float) -> type[HttpProtocol]:
    """The protocol with a time limit, as uvicorn's configuration takes it: a class."""
    return type("HttpProtocol", (HttpProtocol,), {"receive_timeout": receive_timeout})
