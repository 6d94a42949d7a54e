"""Take pictures from the JSON of a request: base64, bare or in a data URL.

A picture is a `msgspec.Raw` where that is possible: its JSON text within the body, not yet parsed.
So the text of a large picture is neither copied nor turned into a string.
"""

import hashlib
import re
from dataclasses import dataclass

import msgspec
import pybase64

from server.errors import BodyTooLarge, InvalidField, MissingField

_BLANKS = re.compile(rb"\s+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
#: Data URLs have their media type and parameters before the comma.
_MAX_DATA_URL_HEADER = 256


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's file, and its SHA-256."""

    content: bytes | memoryview
    digest: bytes

    @classmethod
    def of(cls, content: bytes | memoryview, name: str, max_bytes: int) -> "Picture":
        """Hash a picture's file. Raises MissingField for an empty one, and BodyTooLarge."""
        require_size(len(content), max_bytes)
        if not content:
            raise MissingField(f"The member {name!r} is an empty picture.")
        return cls(content, hashlib.sha256(content).digest())


def picture_of(value: msgspec.Raw | str, name: str, max_bytes: int) -> Picture:
    """Decode the picture in the member `name`.

    The decoder finds out the format from the bytes, whatever a data URL declares. Blanks, missing
    padding and the URL-safe alphabet are accepted, as clients send them. Raises InvalidField,
    MissingField, and BodyTooLarge for more than `max_bytes`.
    """
    given = memoryview(value.encode()) if isinstance(value, str) else _text(value, name)
    text = _payload(given, name)
    return Picture.of(_decode(text, name), name, max_bytes)


def require_size(size: int, max_bytes: int) -> None:
    """Raise BodyTooLarge for a picture of more than `max_bytes`."""
    if size > max_bytes:
        raise BodyTooLarge(f"The picture is over {max_bytes} bytes; send a smaller file.")


def _text(value: msgspec.Raw, name: str) -> memoryview:
    """Return the characters of a JSON string, in UTF-8."""
    raw = memoryview(value)
    if len(raw) < 2 or raw[0] != ord('"'):
        raise InvalidField(f"The member {name!r} has to be a string with a picture.")
    text = raw[1:-1]
    if b"\\" in bytes(text[:_MAX_DATA_URL_HEADER]):
        return memoryview(_unescaped(bytes(text)))
    return text


def _unescaped(text: bytes) -> bytes:
    """Resolve the escapes of a JSON string: PHP, for one, escapes each slash."""
    return msgspec.json.decode(b'"%b"' % text, type=str).encode()


def _payload(text: memoryview, name: str) -> memoryview:
    """Return the base64 of a data URL, or the text as it is."""
    start = bytes(text[:_MAX_DATA_URL_HEADER])
    if start[:5].lower() == b"data:":
        header, comma, _ = start.partition(b",")
        if not comma or not header.lower().endswith(b";base64"):
            raise InvalidField(f"The member {name!r} is a data URL without ;base64 before a comma.")
        return text[len(header) + 1 :]
    if re.match(rb"[a-zA-Z][a-zA-Z0-9+.-]*://", start):
        raise InvalidField(
            f"The member {name!r} is an address; this server fetches nothing, so send the picture "
            "itself as a data URL."
        )
    return text


def _decode(text: memoryview, name: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        # Most texts are plain, and looking for exceptions first would read each text once more.
        untidy = bytes(text)
    try:
        if b"\\" in untidy:
            untidy = _unescaped(untidy)
        tidy = _BLANKS.sub(b"", untidy).translate(_URL_SAFE).rstrip(b"=")
        return pybase64.b64decode(tidy + b"=" * (-len(tidy) % 4), validate=True)
    # msgspec's errors are ValueErrors too.
    except ValueError as exc:
        raise InvalidField(
            f"The member {name!r} is not base64; send the picture's file so, or as a data URL."
        ) from exc
