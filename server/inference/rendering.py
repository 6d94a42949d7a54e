"""Render a caption's text for its reader. The cached caption stays the same."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from server.captioning.errors import OptionOutOfRange

Style = Literal["plain", "alt"]
STYLES: tuple[Style, ...] = get_args(Style)

#: Inclusive bounds of `max_chars`. A shorter text could not hold a word and its full stop.
MAX_CHARS_RANGE = (10, 10_000)

#: What a screen reader has already said, as it announces a picture before its alternative text.
_ANNOUNCEMENT = re.compile(
    r"^\s*(?:(?:this is )?(?:an? )?(?:picture|image|photo|photograph) of|there (?:is|are))\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """The options of an answer's text. They are no part of the cache key.

    With `return_full_text` the text begins with the prompt, as in transformers' pipelines. The
    style "alt" is that of an HTML alternative text: a sentence without "a picture of". `max_chars`
    limits the characters of the text, which is then cut at a word. Raises OptionOutOfRange.
    """

    return_full_text: bool = True
    style: Style = "plain"
    max_chars: int | None = None

    def __post_init__(self) -> None:
        low, high = MAX_CHARS_RANGE
        if self.max_chars is not None and not low <= self.max_chars <= high:
            raise OptionOutOfRange("max_chars", self.max_chars, f"between {low} and {high}")
        if self.style not in STYLES:
            raise OptionOutOfRange("style", self.style, f"one of {', '.join(STYLES)}")

    def apply(self, text: str) -> str:
        """Return `text` in this style and length."""
        if self.style == "alt":
            return _sentence(text, self.max_chars)
        return text if self.max_chars is None else _cut(text, self.max_chars)


def _sentence(text: str, max_chars: int | None) -> str:
    body = (_ANNOUNCEMENT.sub("", text, count=1) or text).strip().rstrip(" .")
    if max_chars is not None:
        body = _cut(body, max_chars - 1)
    return f"{body[:1].upper()}{body[1:]}." if body else ""


def _cut(text: str, max_chars: int) -> str:
    """Shorten a text to at most `max_chars` characters, at the end of a word if it has several."""
    if len(text) <= max_chars:
        return text
    shortened = text[: max_chars + 1]
    whole_words, _, _ = shortened.rpartition(" ")
    return (whole_words or text[:max_chars]).rstrip(" ,;:")
