"""Read options from text fields, of a form or of a query, and check each for its kind."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from server.captioning.options import GenerationOptions
from server.errors import InvalidField
from server.http.multipart import Part
from server.inference.rendering import Rendering

#: Far more than the 512 tokens that BLIP's decoder has positions for.
MAX_PROMPT_BYTES = 8192
MAX_OPTION_BYTES = 32

# int() and float() also accept underscores, blanks, digits of other scripts, and NaN.
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

Reader: TypeAlias = Callable[[str, str], Any]


def integer(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidField(f"The field {name!r} has to be a whole number.")
    return int(text)


def number(name: str, text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise InvalidField(f"The field {name!r} has to be a number.")
    return float(text)


def boolean(name: str, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise InvalidField(f"The field {name!r} has to be true or false.")
    return _BOOLEANS[text.lower()]


def text(name: str, text: str) -> str:
    return text


#: The fields of GenerationOptions and of Rendering, and how each is read.
NUMBERS: Mapping[str, Reader] = {
    "max_new_tokens": integer,
    "num_beams": integer,
    "repetition_penalty": number,
    "no_repeat_ngram_size": integer,
    "length_penalty": number,
}
RENDERING: Mapping[str, Reader] = {
    "return_full_text": boolean,
    "style": text,
    "max_chars": integer,
}
OPTIONS = (*NUMBERS, *RENDERING)


def text_of(part: Part) -> str:
    """Return the text of a form's field. Raises InvalidField for a file, and for other bytes."""
    if part.is_file:
        raise InvalidField(f"The field {part.name!r} is a file; send text.")
    try:
        return part.content.decode()
    except UnicodeDecodeError as exc:
        raise InvalidField(f"The field {part.name!r} is not UTF-8 text.") from exc


def generation_options(fields: Mapping[str, str]) -> GenerationOptions:
    """Read the options of the search. Raises InvalidField and OptionOutOfRange."""
    return GenerationOptions(**_read(fields, NUMBERS))


def rendering(fields: Mapping[str, str]) -> Rendering:
    """Read the options of the answer's text. Raises InvalidField and OptionOutOfRange."""
    return Rendering(**_read(fields, RENDERING))


def _read(fields: Mapping[str, str], readers: Mapping[str, Reader]) -> dict[str, Any]:
    return {name: read(name, fields[name]) for name, read in readers.items() if name in fields}
