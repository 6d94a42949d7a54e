"""Read multipart/form-data part by part as it arrives, and hash each part on the way.

This drives python-multipart's parser itself. Starlette's form parser decodes text by any charset
that the client names, writes uploads over 1 MB to a temporary file, and accepts a truncated body as
an empty form.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.types import Receive

from server.errors import (
    FieldTooLong,
    InvalidField,
    MalformedBody,
    TooManyPictures,
    UnsupportedCharset,
)
from server.http.body import body_chunks

#: ASCII is UTF-8 too, and some clients label plain text so.
_UTF8 = (b"utf-8", b"utf8", b"us-ascii")

#: Shorter pieces are copied. A view takes 200 bytes itself and keeps the chunk that it points into,
#: which is too much for a picture that arrives byte by byte.
_MIN_VIEW_BYTES = 1024


@dataclass(frozen=True, slots=True)
class FormLimits:
    """The maximum bytes of a body, and its allowed fields with the maximum bytes of each.

    `repeats` has the fields that may occur more than once, with the greatest number of each.
    """

    body: int
    fields: Mapping[str, int]
    repeats: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Part:
    """One field: its bytes in the pieces in which they arrived, and the SHA-256 over them.

    `content` joins the pieces at each access.
    """

    name: str
    is_file: bool
    limit: int
    filename: bytes = b""
    size: int = 0
    pieces: list[bytes | memoryview] = field(default_factory=list)
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def append(self, piece: memoryview) -> None:
        self.size += len(piece)
        if self.size > self.limit:
            raise FieldTooLong(f"The field {self.name!r} is over {self.limit} bytes; shorten it.")
        self.pieces.append(piece if len(piece) >= _MIN_VIEW_BYTES else bytes(piece))
        self.sha256.update(piece)

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


async def read_form(headers: Headers, receive: Receive, limits: FormLimits) -> dict[str, Part]:
    """Read a form to its end and return its parts by name. Each name may occur once.

    Raises what `read_parts` raises.
    """
    return {part.name: part for part in await read_parts(headers, receive, limits)}


async def read_parts(headers: Headers, receive: Receive, limits: FormLimits) -> list[Part]:
    """Read a form to its end and return its parts in order.

    Raises MalformedBody, BodyTooLarge, UnsupportedCharset, InvalidField or FieldTooLong as soon as
    the error is certain, and ClientLeft if the client leaves first.
    """
    reader = _FormReader(_boundary(headers), limits)
    try:
        async for chunk in body_chunks(headers, receive, limits.body):
            reader.write(chunk)
        return reader.finish()
    finally:
        reader.close()


def _boundary(headers: Headers) -> bytes:
    kind, parameters = parse_options_header(headers.get("content-type"))
    boundary = parameters.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise MalformedBody(
            "The request is not multipart/form-data with a boundary; "
            "send the picture as the form field 'image'."
        )
    _require_utf8(parameters)
    return boundary


def _require_utf8(parameters: Mapping[bytes, bytes]) -> None:
    charset = parameters.get(b"charset", b"utf-8")
    if charset.lower() not in _UTF8:
        raise UnsupportedCharset("The request declares a charset other than UTF-8; send UTF-8.")


class _FormReader:
    """Builds parts from the callbacks of python-multipart's parser."""

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        self._fields = limits.fields
        self._repeats = limits.repeats
        self._parts: list[Part] = []
        self._complete = False
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_to_header_name,
                    "on_header_value": self._add_to_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._add_to_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as exc:
            raise MalformedBody("The form's boundary is too long.") from exc

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as exc:
            raise MalformedBody("The body is not well-formed multipart/form-data.") from exc

    def finish(self) -> list[Part]:
        # The parser itself accepts a body that stops anywhere.
        if not self._complete:
            raise MalformedBody("The form ends before its closing boundary; send it whole.")
        return self._parts

    def close(self) -> None:
        """Break the cycle with the parser. It would keep the upload until a garbage collection."""
        del self._parser

    def _begin_part(self) -> None:
        self._headers = {}

    def _add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _open_part(self) -> None:
        kind, disposition = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in disposition:
            raise MalformedBody("A part of the form has no name.")
        name = disposition[b"name"].decode("utf-8", "replace")
        if name not in self._fields:
            known = ", ".join(self._fields)
            raise InvalidField(f"There is no field {name[:60]!r}; the fields are {known}.")
        self._require_room(name)
        _require_utf8(parse_options_header(self._headers.get(b"content-type"))[1])
        filename = disposition.get(b"filename")
        self._part = Part(name, filename is not None, self._fields[name], filename or b"")
        self._parts.append(self._part)

    def _require_room(self, name: str) -> None:
        """Raise if the field may not occur once more."""
        most = self._repeats.get(name, 1)
        if sum(part.name == name for part in self._parts) < most:
            return
        if name in self._repeats:
            raise TooManyPictures(
                f"The field {name!r} occurs more than {most} times; send several requests."
            )
        raise InvalidField(f"The field {name!r} occurs twice; send it once.")

    def _add_to_part(self, data: bytes, start: int, end: int) -> None:
        self._part.append(memoryview(data)[start:end])

    def _end(self) -> None:
        self._complete = True
