"""JSON bodies: what is read, and what is refused before anything is inferred."""

import contextlib
import gzip
import json
import tracemalloc
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.types import Message

from server.errors import BodyTooLarge, InvalidField, MalformedBody, UnsupportedEncoding
from server.http.json_bodies import json_limit, parse_json, read_json
from server.http.multipart import FormLimits

pytestmark = pytest.mark.anyio


class Body(msgspec.Struct):
    prompt: str = ""
    images: list[msgspec.Raw] = []
    options: dict[str, Any] = {}


async def read(body: bytes, max_picture: int = 3000, headers: dict[str, str] | None = None) -> Body:
    sent = httpx.Request("POST", "http://app", content=body, headers=headers)
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    raw = [(name.lower(), value) for name, value in sent.headers.raw]
    scope = {"type": "http", "headers": raw, "state": {"form_limits": FormLimits(max_picture, {})}}
    return await read_json(Request(scope), receive, Body)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "multipart/form-data"])
async def test_any_content_type(kind: str) -> None:
    """JSON is read whatever the Content-Type is, and unknown members are ignored."""
    read_body = await read(b'{"prompt": "a", "more": [1]}', headers={"content-type": kind})

    assert read_body == Body("a")


async def test_limit_leaves_room_for_base64() -> None:
    """A body may have 4/3 of the largest picture and 64 KB, and no byte more."""
    limit = json_limit(3000)
    assert limit == 4000 + 65_536
    text = b'{"prompt": "%b"}'
    fits = text % (b"x" * (limit - len(text) + 2))

    assert len((await read(fits)).prompt) == limit - 14
    with pytest.raises(BodyTooLarge):
        await read(fits + b" ")


async def test_compressed() -> None:
    """A compressed body is refused, however small it is."""
    with pytest.raises(UnsupportedEncoding, match="gzip"):
        await read(gzip.compress(b"{}"), headers={"content-encoding": "gzip"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b'{"prompt": NaN}',
        b'{"options": {"a": Infinity}}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "\xff"}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b'{"prompt": "a\x00b"}',
        b'{"options": {"a": ' + b"[" * 100_000,
        b'{"options": ' + b'{"a":' * 100_000,
        b'{"options": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    ],
)
async def test_no_json(body: bytes) -> None:
    """Broken JSON, lone surrogates, control characters and deep nesting are malformed."""
    with pytest.raises(MalformedBody):
        await read(body, max_picture=10_000_000)


@pytest.mark.parametrize(
    ("body", "name"),
    [("[]", "array"), ("1", "int"), ('{"prompt": 1}', "prompt"), ('{"images": "a"}', "images")],
)
async def test_wrong_kind(body: str, name: str) -> None:
    """A member of the wrong kind is named."""
    with pytest.raises(InvalidField, match=name):
        await read(body.encode())


async def test_huge_numbers() -> None:
    """A number of thousands of digits neither fails as a defect nor takes long."""
    for digits in (25, 400, 5000, 100_000):
        body = json.dumps({"options": {"a": 1}}).replace("1", "9" * digits)
        with contextlib.suppress(InvalidField, MalformedBody):
            parse_json(body.encode(), Body)


async def test_picture_is_not_copied() -> None:
    """A picture stays the text of the body: no second copy of it is made."""
    picture = "A" * 1_000_000
    body = json.dumps({"images": [picture]}).encode()

    tracemalloc.start()
    try:
        (raw,) = parse_json(body, Body).images
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert bytes(raw) == f'"{picture}"'.encode()
    assert peak < len(picture) / 10
