"""Every way in which a request can end without its answer, and the one table of their statuses.

RequestError
├── ConnectionRefusal
│   ├── MalformedRequest
│   └── HeaderTooLarge
├── NotFound
│   └── NotCached
├── MethodNotAllowed
├── BodyError
│   ├── MalformedBody
│   ├── BodyTooLarge
│   ├── RequestTimeout
│   ├── UnsupportedCharset
│   └── UnsupportedEncoding
├── Unauthorized
├── FieldError
│   ├── MissingField
│   ├── InvalidField
│   ├── UnsupportedDemand
│   ├── TooManyPictures
│   └── FieldTooLong
├── Unavailable
│   ├── Overloaded
│   ├── SlowClientEvicted
│   ├── Draining
│   └── Stalled
├── ClientLeft
└── InternalError

StartupError stands apart: it ends the process before a request exists.
Each message is one sentence for a person. No message names a path, an object address or a type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from server.captioning import errors as captioning


class StartupError(Exception):
    """The server cannot start. The message gives the cause and the remedy."""


class RequestError(Exception):
    """Base of every refusal on the HTTP side; `headers` go into the answer."""

    headers: Mapping[str, str] = {}


class ConnectionRefusal(RequestError):
    """The bytes on a connection make no request, so the connection is closed."""

    headers: Mapping[str, str] = {"Connection": "close"}


class MalformedRequest(ConnectionRefusal):
    """The bytes are not valid HTTP."""


class HeaderTooLarge(ConnectionRefusal):
    """The request's header is larger than the server reads."""


class NotFound(RequestError):
    """No route has this path."""


class NotCached(NotFound):
    """No caption of this picture, prompt and options is in the cache."""


class MethodNotAllowed(RequestError):
    """The route of this path does not take this method."""


class BodyError(RequestError):
    """The body as a whole cannot be used."""


class MalformedBody(BodyError):
    """The body is not what its surface reads, or it is incomplete."""


class BodyTooLarge(BodyError):
    """The body is larger than the server accepts."""


class RequestTimeout(BodyError):
    """The request takes longer to arrive than the server waits."""

    headers: Mapping[str, str] = {"Connection": "close"}


class UnsupportedCharset(BodyError):
    """The request declares text in a charset other than UTF-8."""


class UnsupportedEncoding(BodyError):
    """The body is compressed."""


class Unauthorized(RequestError):
    """API keys are configured, and the request bears none of them."""

    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class FieldError(RequestError):
    """One field of the body cannot be used."""


class MissingField(FieldError):
    """A required field is absent or empty."""


class InvalidField(FieldError):
    """A field is unknown, repeated, or of the wrong kind."""


class UnsupportedDemand(FieldError):
    """The request demands what a captioning model cannot give, such as JSON or a tool call."""


class TooManyPictures(FieldError):
    """The request has more pictures than one request may have."""


class FieldTooLong(FieldError):
    """A text field holds more bytes than any valid value of it."""


class Unavailable(RequestError):
    """The server cannot answer now; `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.headers = {"Retry-After": str(retry_after)}


class Overloaded(Unavailable):
    """Admission control or the queue before the model is full."""


class SlowClientEvicted(Unavailable):
    """The server is full, and this body arrives too slowly to keep its place."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after)
        self.headers = {**self.headers, "Connection": "close"}


class Draining(Unavailable):
    """The server is about to stop and admits no new work."""


class Stalled(Unavailable):
    """Captions wait, and no prefill or decode step has finished for too long."""


class ClientLeft(RequestError):
    """The client closed the connection before its answer."""


class InternalError(RequestError):
    """A defect of the server; the log has its traceback."""


#: Which operations answer a status: every one, those that caption, those with many pictures, the
#: look-up by digest, those of other APIs, those of /health; "unrouted" stands for paths and methods
#: without an operation, "unsent" for a status that is only logged.
Scope = Literal["every", "caption", "batch", "lookup", "dialect", "health", "unrouted", "unsent"]


@dataclass(frozen=True, slots=True)
class Status:
    """How one class of error is answered. Clients switch on `error_type`, so it is stable."""

    code: int
    error_type: str
    scope: Scope
    description: str


#: The one table of statuses. A subclass without a row has the row of its nearest base.
STATUSES: dict[type[Exception], Status] = {
    MalformedRequest: Status(400, "malformed_request", "every", "not valid HTTP"),
    MalformedBody: Status(
        400, "malformed_body", "caption", "a body of another type, or an incomplete one"
    ),
    MissingField: Status(400, "missing_field", "caption", "a required field is absent"),
    InvalidField: Status(
        400, "invalid_field", "caption", "a field is unknown, repeated, or of the wrong kind"
    ),
    UnsupportedDemand: Status(
        400, "unsupported_demand", "dialect", "a demand that no caption can meet"
    ),
    Unauthorized: Status(401, "unauthorized", "caption", "no valid API key"),
    NotFound: Status(404, "not_found", "unrouted", "no such path"),
    NotCached: Status(404, "not_cached", "lookup", "no such caption in the cache"),
    MethodNotAllowed: Status(
        405, "method_not_allowed", "unrouted", "the path does not take this method"
    ),
    RequestTimeout: Status(408, "request_timeout", "every", "the request did not arrive in time"),
    BodyTooLarge: Status(413, "body_too_large", "caption", "the body is over the limit"),
    captioning.ImageTooLarge: Status(
        413, "image_too_large", "caption", "the picture has too many pixels"
    ),
    UnsupportedCharset: Status(415, "unsupported_charset", "caption", "a charset other than UTF-8"),
    UnsupportedEncoding: Status(415, "unsupported_encoding", "caption", "a compressed body"),
    captioning.UnsupportedImageFormat: Status(
        415, "unsupported_image_format", "caption", "not a picture of a supported format"
    ),
    captioning.UndecodableImage: Status(
        422, "undecodable_image", "caption", "the picture is truncated or corrupt"
    ),
    captioning.PromptTooLong: Status(
        422, "prompt_too_long", "caption", "the prompt leaves no room for a caption"
    ),
    TooManyPictures: Status(422, "too_many_pictures", "batch", "too many pictures at once"),
    FieldTooLong: Status(422, "field_too_long", "caption", "a text field is too long"),
    captioning.OptionOutOfRange: Status(
        422, "option_out_of_range", "caption", "a generation option is out of range"
    ),
    HeaderTooLarge: Status(431, "header_too_large", "every", "the header is over the limit"),
    ClientLeft: Status(
        499, "client_left", "unsent", "the client left before its answer; only logged and counted"
    ),
    InternalError: Status(500, "internal_error", "every", "a defect of the server"),
    Overloaded: Status(503, "overloaded", "caption", "too many requests, or a full queue"),
    SlowClientEvicted: Status(
        503, "sent_too_slowly", "caption", "the server is full and the body arrived too slowly"
    ),
    Draining: Status(503, "draining", "every", "the server is stopping"),
    Stalled: Status(503, "stalled", "health", "captions wait and the model makes no progress"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a client is told about an error: a status, one sentence, and headers."""

    status: Status
    message: str
    headers: Mapping[str, str]


def refusal_for(error: Exception) -> Refusal | None:
    """Look an error up in the table, by its class or nearest base; None if it has no row."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            headers = error.headers if isinstance(error, RequestError) else {}
            return Refusal(STATUSES[kind], str(error), headers)
    return None
