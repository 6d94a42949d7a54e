"""What a request can be refused for, and how a client is told.

RequestError
├── BodyError
│   ├── MalformedBody
│   ├── BodyTooLarge
│   ├── RequestTimeout
│   └── UnsupportedCharset
├── Unauthorized
├── FieldError
│   ├── MissingField
│   ├── InvalidField
│   └── FieldTooLong
└── Unavailable
    ├── Overloaded
    ├── SlowClientEvicted
    └── Draining

StartupError stands apart: it ends the process before there is a request.
Each message is one sentence for a person; none names a path, an object's address or a type.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.captioning import errors as captioning


class StartupError(Exception):
    """The server can't start; the message says why and what to do."""


class RequestError(Exception):
    """The base of every refusal on the HTTP side, with what its answer has in its header."""

    headers: Mapping[str, str] = {}


class BodyError(RequestError):
    """The request's body as a whole can't be used."""


class MalformedBody(BodyError):
    """The body is no complete multipart/form-data."""


class BodyTooLarge(BodyError):
    """The body is larger than the server takes."""


class RequestTimeout(BodyError):
    """The body takes longer to arrive than the server waits."""

    headers: Mapping[str, str] = {"Connection": "close"}


class UnsupportedCharset(BodyError):
    """Text is declared to be in something other than UTF-8."""


class Unauthorized(RequestError):
    """API keys are configured, and the request bears none of them."""

    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class FieldError(RequestError):
    """One field of the form can't be used."""


class MissingField(FieldError):
    """A required field is absent or empty."""


class InvalidField(FieldError):
    """A field is unknown, repeated, or not of the kind it should be."""


class FieldTooLong(FieldError):
    """A text field holds more bytes than any sensible value of it."""


class Unavailable(RequestError):
    """Not now; `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.headers = {"Retry-After": str(retry_after)}


class Overloaded(Unavailable):
    """As much work as the server takes is already waiting."""


class SlowClientEvicted(Unavailable):
    """There is no room, and this one makes some: its body comes too slowly to be waited for."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after)
        self.headers = {**self.headers, "Connection": "close"}


class Draining(Unavailable):
    """The server is about to stop and takes no new work."""


@dataclass(frozen=True, slots=True)
class Status:
    """How one class of error is answered; `error_type` is stable, clients switch on it."""

    code: int
    error_type: str


#: The one place where an error becomes a status. A subclass without a line has its base's.
STATUSES: dict[type[Exception], Status] = {
    MalformedBody: Status(400, "malformed_body"),
    MissingField: Status(400, "missing_field"),
    InvalidField: Status(400, "invalid_field"),
    Unauthorized: Status(401, "unauthorized"),
    RequestTimeout: Status(408, "request_timeout"),
    BodyTooLarge: Status(413, "body_too_large"),
    captioning.ImageTooLarge: Status(413, "image_too_large"),
    UnsupportedCharset: Status(415, "unsupported_charset"),
    captioning.UnsupportedImageFormat: Status(415, "unsupported_image_format"),
    captioning.UndecodableImage: Status(422, "undecodable_image"),
    captioning.PromptTooLong: Status(422, "prompt_too_long"),
    FieldTooLong: Status(422, "field_too_long"),
    captioning.OptionOutOfRange: Status(422, "option_out_of_range"),
    Overloaded: Status(503, "overloaded"),
    SlowClientEvicted: Status(503, "sent_too_slowly"),
    Draining: Status(503, "draining"),
}

_HTTP_ERROR_TYPES = {404: "not_found", 405: "method_not_allowed"}


def status_for(error: Exception) -> Status | None:
    """The table's line for an error, or for the nearest of its bases; None if it has none."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)


def error_response(
    code: int, error_type: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"error": message, "error_type": error_type}, code, headers)


def internal_error() -> JSONResponse:
    """A defect, with no detail: that is in the log, under the request's id."""
    return error_response(
        500, "internal_error", "The server made a mistake; its log has it under X-Request-ID."
    )


def stopped() -> JSONResponse:
    """What was in flight when the server's time to stop was over."""
    message = "The server stopped before it could finish; send the request again."
    return error_response(503, "draining", message, {"Retry-After": "1"})


async def handle_refusal(request: Request, error: Exception) -> Response:
    """Answer a RequestError or CaptioningError by the table; one that it lacks is a defect."""
    status = status_for(error)
    if status is None:
        raise error
    headers = error.headers if isinstance(error, RequestError) else None
    request.state["trace"].error_type = status.error_type
    return error_response(status.code, status.error_type, str(error), headers)


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """Answer Starlette's own 404 and 405 in the shape of every other error."""
    assert isinstance(error, HTTPException)
    error_type = _HTTP_ERROR_TYPES.get(error.status_code, "http_error")
    request.state["trace"].error_type = error_type
    return error_response(error.status_code, error_type, f"{error.detail}.", error.headers)
