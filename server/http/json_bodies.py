"""Read a JSON body into a typed record, whatever Content-Type the client declares."""

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.types import Receive

from server.errors import InvalidField, MalformedBody
from server.http.body import body_chunks
from server.http.state import State

T = TypeVar("T")

#: Far more than a chat with pictures has. Each empty object of a list would take 80 bytes of memory
#: for 3 bytes of the body.
MAX_COMMAS = 100_000

#: Base64 takes 4 bytes for 3; the rest of a JSON body is text.
_JSON_TEXT_BYTES = 64 * 1024


def json_limit(max_picture: int) -> int:
    """Return the bytes that a JSON body may have for a picture of `max_picture` bytes."""
    return 4 * max_picture // 3 + _JSON_TEXT_BYTES


async def read_body(request: Request[State], receive: Receive, max_bytes: int) -> bytes:
    """Read a body to its end. Raises BodyTooLarge, ClientLeft and UnsupportedEncoding."""
    pieces = [piece async for piece in body_chunks(request.headers, receive, max_bytes)]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_json(request: Request[State], receive: Receive, kind: type[T]) -> T:
    """Read a JSON body as a `kind`, a msgspec.Struct; unknown members are ignored.

    Raises what `read_body` raises, MalformedBody for bytes that are no JSON, and InvalidField for a
    member that is missing or of the wrong kind.
    """
    limit = json_limit(request.state["form_limits"].body)
    return parse_body(await read_body(request, receive, limit), kind)


def parse_body(body: bytes, kind: type[T]) -> T:
    """Parse a whole body as a `kind`. Raises InvalidField, and MalformedBody for too many members.

    The memory of what is parsed is bounded by this number, as base64 has no commas.
    """
    if body.count(b",") > MAX_COMMAS:
        raise MalformedBody(f"The body has more than {MAX_COMMAS} members and elements.")
    return parse_json(body, kind)


def parse_json(body: bytes | memoryview, kind: type[T]) -> T:
    """Parse a part of a body as a `kind`. Raises MalformedBody and InvalidField."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as exc:
        raise InvalidField(f"The body does not fit: {exc}.") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise MalformedBody("The body is not JSON in UTF-8.") from exc
    except RecursionError as exc:
        raise MalformedBody("The body is JSON that is nested too deeply.") from exc


def to_json(value: Any) -> bytes:
    """Render built-in types, msgspec.Structs and dataclasses as JSON."""
    return msgspec.json.encode(value)
