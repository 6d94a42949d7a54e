"""The captioner with the committed model: what it returns, refuses and survives."""

from pathlib import Path

import pytest

from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import (
    ImageTooLarge,
    OptionOutOfRange,
    PromptTooLong,
    UndecodableImage,
)
from server.captioning.options import GenerationOptions
from tests.server.captioning.pictures import encoded, noise


def test_finish_reason_tells_an_end_from_a_cut(captioner: BlipCaptioner) -> None:
    """A caption that ends with [SEP] says "stop", one cut at its length says "length"."""
    whole = captioner.caption(encoded(noise(0)), None, GenerationOptions())
    assert whole.token_ids[-1] == captioner.manifest.tokens.sep
    assert whole.finish_reason == "stop"

    cut = captioner.caption(encoded(noise(0)), None, GenerationOptions(max_new_tokens=2))
    assert cut.token_ids == whole.token_ids[:3]
    assert cut.finish_reason == "length"


def test_a_bad_prompt_is_refused_before_the_picture_is_looked_at(captioner: BlipCaptioner) -> None:
    """Neither a prompt too long nor an option out of range costs a decode."""
    with pytest.raises(PromptTooLong, match="64 tokens and at most 63"):
        captioner.caption(b"no picture", "a " * 63, GenerationOptions())
    with pytest.raises(OptionOutOfRange, match="max_new_tokens is 63"):
        captioner.caption(b"no picture", "a", GenerationOptions(max_new_tokens=63))


def test_the_pixel_limit_is_the_one_given(model_directory: Path) -> None:
    """max_pixels bounds the pictures of this captioner."""
    strict = BlipCaptioner.open(model_directory, threads=1, max_pixels=100)
    with pytest.raises(ImageTooLarge):
        strict.caption(encoded(noise(0)), None, GenerationOptions())


def test_a_captioner_survives_a_bad_picture(captioner: BlipCaptioner) -> None:
    """An error leaves nothing behind that changes the next caption."""
    before = captioner.caption(encoded(noise(3)), None, GenerationOptions())
    with pytest.raises(UndecodableImage):
        captioner.caption(encoded(noise(3))[:200], None, GenerationOptions())
    after = captioner.caption(encoded(noise(3)), None, GenerationOptions())
    assert (after.text, after.confidence) == (before.text, before.confidence)


def test_opens_with_the_threads_it_is_given(captioner: BlipCaptioner) -> None:
    """The captioner tells its threads and its model's digest."""
    assert captioner.threads == 1
    assert captioner.digest == captioner.manifest.digest


def test_warm_up_and_close(model_directory: Path) -> None:
    """A captioner can be warmed up without a picture, and closed."""
    captioner = BlipCaptioner.open(model_directory)
    captioner.warm_up()
    captioner.close()
