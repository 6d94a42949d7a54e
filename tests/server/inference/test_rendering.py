"""Captions as texts for readers: whole or without the prompt, as alternative text, shortened."""

import pytest

from server.captioning.errors import OptionOutOfRange
from server.inference.rendering import Rendering


def test_plain_text_is_unchanged() -> None:
    """Without options the text is the caption."""
    assert Rendering().apply("there is a dog on a sofa") == "there is a dog on a sofa"


@pytest.mark.parametrize(
    ("caption", "alternative"),
    [
        ("a dog on a sofa", "A dog on a sofa."),
        ("a picture of a dog", "A dog."),
        ("an image of two cats", "Two cats."),
        ("there is a red bus", "A red bus."),
        ("there are three birds", "Three birds."),
        ("a photo of a lake .", "A lake."),
        ("this is a picture of a map.", "A map."),
        ("a picture of", "A picture of."),
        ("a picture frame", "A picture frame."),
        ("", ""),
    ],
)
def test_alternative_text(caption: str, alternative: str) -> None:
    """An alternative text is a sentence that does not say that it describes a picture."""
    assert Rendering(style="alt").apply(caption) == alternative


@pytest.mark.parametrize(
    ("limit", "style", "text"),
    [
        (10, "plain", "a dog on a"),
        (11, "plain", "a dog on a"),
        (15, "plain", "a dog on a sofa"),
        (12, "alt", "A dog on a."),
        (15, "alt", "A dog on a."),
        (16, "alt", "A dog on a sofa."),
    ],
)
def test_cut_at_a_word(limit: int, style: str, text: str) -> None:
    """A text over the limit ends with a whole word, and the full stop counts."""
    rendered = Rendering(style=style, max_chars=limit).apply("a dog on a sofa")  # type: ignore[arg-type]

    assert rendered == text
    assert len(rendered) <= limit


def test_one_long_word_is_cut_within() -> None:
    """A text without a blank within the limit is cut at the limit."""
    assert Rendering(max_chars=10).apply("x" * 30) == "x" * 10


@pytest.mark.parametrize("limit", [-1, 0, 9, 10_001])
def test_limits_out_of_range(limit: int) -> None:
    """A limit that leaves no room for a word is refused."""
    with pytest.raises(OptionOutOfRange, match="max_chars"):
        Rendering(max_chars=limit)


def test_unknown_style() -> None:
    """A style that does not exist is refused with the existing ones."""
    with pytest.raises(OptionOutOfRange, match="plain, alt"):
        Rendering(style="loud")  # type: ignore[arg-type]
