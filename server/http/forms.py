"""A caption request's form -> picture, prompt and options, each of the kind it should be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive

from server.captioning.options import GenerationOptions
from server.errors import InvalidField, MissingField
from server.http.multipart import FormLimits, Part, read_form

#: Far more than the 512 tokens that BLIP's decoder has positions for.
MAX_PROMPT_BYTES = 8192
MAX_NUMBER_BYTES = 32

# int() and float() also take underscores, blanks, other scripts' digits, and NaN.
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client asks for. No prompt (None) and an empty one are different requests."""

    image: Part
    prompt: str | None
    options: GenerationOptions


def form_limits(max_body: int, seconds: float | None = None) -> FormLimits:
    """The fields of `POST /caption`, for bodies up to `max_body` bytes that arrive in time."""
    numbers = dict.fromkeys(NUMBERS, MAX_NUMBER_BYTES)
    return FormLimits(max_body, {"image": max_body, "prompt": MAX_PROMPT_BYTES, **numbers}, seconds)


async def read_upload(headers: Headers, receive: Receive, limits: FormLimits) -> Upload:
    """Read one caption request.

    Raises what `read_form` does, MissingField or InvalidField for a field of the wrong kind, and
    OptionOutOfRange.
    """
    form = await read_form(headers, receive, limits)
    return Upload(
        image=_image(form),
        prompt=_text(form["prompt"]) if "prompt" in form else None,
        options=_options(form),
    )


def _image(form: Mapping[str, Part]) -> Part:
    image = form.get("image")
    if image is None:
        raise MissingField("The field 'image' is missing; it takes the picture's file.")
    if not image.is_file:
        raise InvalidField("The field 'image' is text; send a file, as in curl -F image=@FILE.")
    if image.size == 0:
        raise MissingField("The field 'image' is an empty file.")
    return image


def _text(part: Part) -> str:
    if part.is_file:
        raise InvalidField(f"The field {part.name!r} is a file; send text.")
    try:
        return part.content.decode()
    except UnicodeDecodeError as exc:
        raise InvalidField(f"The field {part.name!r} is not UTF-8 text.") from exc


def _options(form: Mapping[str, Part]) -> GenerationOptions:
    given: dict[str, Any] = {
        name: read(form[name]) for name, read in NUMBERS.items() if name in form
    }
    return GenerationOptions(**given)


def _integer(part: Part) -> int:
    text = _text(part)
    if not _INTEGER.fullmatch(text):
        raise InvalidField(f"The field {part.name!r} has to be a whole number.")
    return int(text)


def _float(part: Part) -> float:
    text = _text(part)
    if not _FLOAT.fullmatch(text):
        raise InvalidField(f"The field {part.name!r} has to be a number.")
    return float(text)


#: GenerationOptions' fields, which are form fields too, and how each is read.
NUMBERS: Mapping[str, Callable[[Part], int | float]] = {
    "max_new_tokens": _integer,
    "num_beams": _integer,
    "repetition_penalty": _float,
    "no_repeat_ngram_size": _integer,
    "length_penalty": _float,
}
