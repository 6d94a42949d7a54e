import tracemalloc
from dataclasses import fields
from hashlib import sha256

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from server.captioning.errors import OptionOutOfRange
from server.captioning.options import GenerationOptions
from server.errors import FieldTooLong, InvalidField, MissingField
from server.http.fields import NUMBERS, RENDERING
from server.http.forms import form_limits, read_caption_form
from server.inference.rendering import Rendering
from server.inference.request import CaptionRequest

pytestmark = pytest.mark.anyio


async def upload(files: dict[str, object], **text: str) -> CaptionRequest:
    """Read a form as httpx writes it."""
    request = httpx.Request("POST", "http://app", files=files, data=text)  # type: ignore[arg-type]
    body = request.read()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    read, _ = await read_caption_form(Headers(dict(request.headers)), receive, form_limits(100_000))
    return read


async def test_picture_alone() -> None:
    """A file in `image` is enough. The prompt is none, and every option is left out."""
    read = await upload({"image": b"picture"})

    assert read.image == b"picture"
    assert read.image_digest == sha256(b"picture").digest()
    assert (read.prompt, read.options) == (None, GenerationOptions())


async def test_everything() -> None:
    """Prompt and options come in fields of their own names."""
    read = await upload(
        {"image": b"picture"},
        prompt="ein Bild, schön",
        max_new_tokens="5",
        num_beams="3",
        repetition_penalty="1.5",
        no_repeat_ngram_size="2",
        length_penalty="-1e-1",
    )

    assert read.prompt == "ein Bild, schön"
    assert read.options == GenerationOptions(5, 3, 1.5, 2, -0.1)


def test_every_option_is_a_field() -> None:
    """The form has a field for each generation option, and for each option of the text."""
    assert list(NUMBERS) == [field.name for field in fields(GenerationOptions)]
    assert list(RENDERING) == [field.name for field in fields(Rendering)]


async def test_empty_prompt_is_no_prompt() -> None:
    """An empty prompt, as every HTML form sends it, is no prompt."""
    assert await upload({"image": b"x"}, prompt="") == await upload({"image": b"x"})


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"prompt": (None, "x")}, MissingField),
        ({"image": ("x.jpg", b"")}, MissingField),
        ({"image": (None, b"x.jpg")}, InvalidField),
    ],
)
async def test_no_picture(files: dict[str, object], error: type[Exception]) -> None:
    """An absent picture, an empty one, and a file name instead of the file are different errors."""
    with pytest.raises(error, match="image"):
        await upload(files)


async def test_prompt_as_a_file() -> None:
    """A prompt with a file name is refused."""
    with pytest.raises(InvalidField, match="prompt"):
        await upload({"image": b"x", "prompt": ("prompt.txt", b"x")})


async def test_prompt_that_is_not_utf8() -> None:
    """A prompt in another encoding is refused."""
    with pytest.raises(InvalidField, match="UTF-8"):
        await upload({"image": b"x", "prompt": (None, "schön".encode("latin-1"))})


async def test_surrogates() -> None:
    """Encoded lone surrogates are not UTF-8 and are refused."""
    with pytest.raises(InvalidField, match="UTF-8"):
        await upload({"image": b"x", "prompt": (None, b"\xed\xa0\x80")})


async def test_enormous_prompt() -> None:
    """A prompt with more bytes than any valid one is refused."""
    with pytest.raises(FieldTooLong, match="prompt"):
        await upload({"image": b"x"}, prompt="word " * 5000)


@pytest.mark.parametrize("text", ["", "three", "1.5", "1_0", " 1", "٣", "0x1", "1e1", "nan"])
async def test_whole_numbers(text: str) -> None:
    """A whole-number option accepts ASCII digits only, although int() accepts more."""
    with pytest.raises(InvalidField, match="num_beams"):
        await upload({"image": b"x"}, num_beams=text)


@pytest.mark.parametrize("text", ["", "high", "1_0.0", "nan", "inf", "1,5", "٣", "0x1p3", "."])
async def test_numbers(text: str) -> None:
    """A number option accepts a decimal number only, although float() accepts more."""
    with pytest.raises(InvalidField, match="length_penalty"):
        await upload({"image": b"x"}, length_penalty=text)


@pytest.mark.parametrize(
    ("name", "text"),
    [("num_beams", "0"), ("num_beams", "9" * 32), ("length_penalty", "1e999")],
)
async def test_out_of_range(name: str, text: str) -> None:
    """A number out of range is another error than text that is not a number."""
    with pytest.raises(OptionOutOfRange, match=name):
        await upload({"image": b"x"}, **{name: text})


async def test_a_body_byte_by_byte() -> None:
    """A picture that arrives byte by byte takes little more memory than its size."""
    request = httpx.Request("POST", "http://app", files={"image": b"x" * 20_000})
    pieces = [bytes([byte]) for byte in request.read()]

    async def receive() -> Message:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    tracemalloc.start()
    try:
        limits = form_limits(1_000_000)
        read, _ = await read_caption_form(Headers(request.headers), receive, limits)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read.image == b"x" * 20_000
    assert kept < 1_000_000
