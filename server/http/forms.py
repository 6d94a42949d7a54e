"""Read the form of a caption request, and check that each field is of its kind."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive

from server.captioning.options import GenerationOptions
from server.errors import InvalidField, MissingField
from server.http.multipart import FormLimits, Part, read_form
from server.inference.request import CaptionRequest

#: Far more than the 512 tokens that BLIP's decoder has positions for.
MAX_PROMPT_BYTES = 8192
MAX_NUMBER_BYTES = 32

# int() and float() also accept underscores, blanks, digits of other scripts, and NaN.
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def form_limits(max_body: int) -> FormLimits:
    """List the form's fields with the bytes that each may have, in a body of `max_body` bytes."""
    numbers = dict.fromkeys(NUMBERS, MAX_NUMBER_BYTES)
    return FormLimits(max_body, {"image": max_body, "prompt": MAX_PROMPT_BYTES, **numbers})


async def read_caption_form(
    headers: Headers, receive: Receive, limits: FormLimits
) -> CaptionRequest:
    """Read one caption request from a form.

    Raises what `read_form` raises, MissingField or InvalidField for a field of the wrong kind, and
    OptionOutOfRange.
    """
    form = await read_form(headers, receive, limits)
    image = _image(form)
    prompt = _text(form["prompt"]) if "prompt" in form else None
    digest = image.sha256.digest()
    return CaptionRequest.of(image.pieces, prompt, _options(form), image_digest=digest)


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


def integer(part: Part) -> int:
    text = _text(part)
    if not _INTEGER.fullmatch(text):
        raise InvalidField(f"The field {part.name!r} has to be a whole number.")
    return int(text)


def number(part: Part) -> float:
    text = _text(part)
    if not _FLOAT.fullmatch(text):
        raise InvalidField(f"The field {part.name!r} has to be a number.")
    return float(text)


#: The form's fields for GenerationOptions, and how each is read.
NUMBERS: Mapping[str, Callable[[Part], int | float]] = {
    "max_new_tokens": integer,
    "num_beams": integer,
    "repetition_penalty": number,
    "no_repeat_ngram_size": integer,
    "length_penalty": number,
}
