import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from server.errors import (
    BodyTooLarge,
    ClientLeft,
    FieldTooLong,
    InvalidField,
    MalformedBody,
    RequestError,
    UnsupportedCharset,
)
from server.http.multipart import FormLimits, Part, read_form

pytestmark = pytest.mark.anyio

LIMITS = FormLimits(body=10_000, fields={"image": 5_000, "prompt": 100})
CONTENT_TYPE = "multipart/form-data; boundary=frontier"
BODY = (
    b"--frontier\r\n"
    b'Content-Disposition: form-data; name="image"; filename="x.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n"
    b"\xff\xd8 picture \r\n--fron\r\n\r\n"
    b"--frontier\r\n"
    b'Content-Disposition: form-data; name="prompt"\r\n\r\n'
    b"a picture of\r\n"
    b"--frontier--\r\n"
)
IMAGE = b"\xff\xd8 picture \r\n--fron\r\n"


def part(disposition: str, content: bytes = b"x", *headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *headers]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    return b"--frontier\r\n" + head + b"\r\n" + content + b"\r\n"


def chunked(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


def receiving(chunks: Sequence[bytes], disconnect: bool = False) -> Receive:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": disconnect or i + 1 < len(chunks)}
        for i, chunk in enumerate(chunks)
    ]
    remaining = iter([*messages, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(remaining)

    return receive


async def read(
    body: bytes | Sequence[bytes], content_type: str | None = CONTENT_TYPE, **headers: str
) -> dict[str, Part]:
    chunks = [body] if isinstance(body, bytes) else body
    if content_type is not None:
        headers["content-type"] = content_type
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await read_form(Headers(named), receiving(chunks), LIMITS)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(BODY)])
async def test_parts_survive_any_chunking(size: int) -> None:
    """The parts and their hashes do not depend on how the network cuts the body."""
    form = await read(chunked(BODY, size))

    assert form["image"].content == IMAGE
    assert form["image"].sha256.digest() == hashlib.sha256(IMAGE).digest()
    assert form["image"].is_file
    assert form["prompt"].content == b"a picture of"
    assert not form["prompt"].is_file


async def test_truncated_body() -> None:
    """A body that is cut off before its end is malformed, never an empty or shorter form."""
    for length in range(len(BODY) - len("\r\n")):
        with pytest.raises(MalformedBody):
            await read(BODY[:length])


async def test_client_that_leaves() -> None:
    """A client that disconnects mid-upload ends the reading."""
    receive = receiving([BODY[:50]], disconnect=True)

    with pytest.raises(ClientLeft):
        await read_form(Headers({"content-type": CONTENT_TYPE}), receive, LIMITS)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=frontier",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; boundary=other",
    ],
)
async def test_not_this_multipart(content_type: str | None) -> None:
    """Another type of body, a missing boundary and a wrong one are malformed."""
    with pytest.raises(MalformedBody):
        await read(BODY, content_type)


@pytest.mark.parametrize(
    "charset", ["undefined", "idna", "utf-7", "latin-1", "utf-16", "rot13", ""]
)
async def test_charset_of_the_form(charset: str) -> None:
    """A charset other than UTF-8 is refused without looking it up among Python's codecs."""
    with pytest.raises(UnsupportedCharset):
        await read(BODY, f'{CONTENT_TYPE}; charset="{charset}"')


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", '"utf-8"', "us-ascii"])
async def test_utf8_by_its_names(charset: str) -> None:
    """Every spelling of UTF-8 is accepted."""
    assert "prompt" in await read(BODY, f"{CONTENT_TYPE}; charset={charset}")


async def test_charset_of_a_part() -> None:
    """A part may not declare another charset either."""
    body = part('form-data; name="prompt"', b"x", "Content-Type: text/plain; charset=utf-7")

    with pytest.raises(UnsupportedCharset):
        await read(body + b"--frontier--\r\n")


@pytest.mark.parametrize(
    "body",
    [
        part('form-data; name="model"'),
        part('form-data; name="image "'),
        part('form-data; name=""'),
        part('form-data; name="prompt"') + part('form-data; name="prompt"'),
    ],
)
async def test_unknown_and_repeated_fields(body: bytes) -> None:
    """An unknown field, or one that occurs twice, is refused."""
    with pytest.raises(InvalidField):
        await read(body + b"--frontier--\r\n")


@pytest.mark.parametrize(
    "body",
    [
        part("form-data"),
        part('attachment; name="prompt"'),
        b"--frontier\r\n\r\nx\r\n",
        b"--frontier\r\nContent-Disposition form-data\r\n\r\nx\r\n",
        b"--frontier\r\n" + b"A: b\r\n" * 100 + b"\r\nx\r\n",
        b"--frontier\r\nA: " + b"b" * 5000 + b"\r\n\r\nx\r\n",
    ],
)
async def test_part_without_a_name(body: bytes) -> None:
    """A part without a usable header is malformed."""
    with pytest.raises(MalformedBody):
        await read(body + b"--frontier--\r\n")


async def test_declared_length_over_the_limit() -> None:
    """A body that declares itself too large is refused before any of it is read."""

    async def receive() -> Message:
        raise AssertionError("the body was read")

    headers = Headers({"content-type": CONTENT_TYPE, "content-length": "10001"})

    with pytest.raises(BodyTooLarge):
        await read_form(headers, receive, LIMITS)


async def test_actual_length_over_the_limit() -> None:
    """A body without a declared length is refused once it has passed the limit."""
    with pytest.raises(BodyTooLarge):
        await read([BODY, *[b"x" * 1000] * 10])


async def test_field_over_its_limit() -> None:
    """A field has its own limit, so that text cannot be as large as a picture."""
    body = part('form-data; name="prompt"', b"x" * 101) + b"--frontier--\r\n"

    with pytest.raises(FieldTooLong, match="prompt"):
        await read(body)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_mutations(data: st.DataObject) -> None:
    """However a body is damaged, it is read or refused: nothing else ever happens."""
    body = bytearray(BODY)
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(body) - 1))
        body[position : position + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"\r\n", b"--frontier", b'"', b":", b";"])
        )

    with suppress(RequestError):
        asyncio.run(read(chunked(bytes(body), data.draw(st.integers(1, 80)))))
