"""How long captions may get, and what is refused."""

from dataclasses import replace

import pytest

from server.captioning.errors import OptionOutOfRange, PromptTooLong
from server.captioning.lengths import max_length
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions
from tests.server.captioning.manifests import MANIFEST

POSITIONS = 40


def manifest(configured: int) -> Manifest:
    return replace(
        MANIFEST,
        decoder=replace(MANIFEST.decoder, max_positions=POSITIONS),
        generation=replace(MANIFEST.generation, max_length=configured),
    )


def test_default_length_is_bounded_by_the_positions() -> None:
    """A long prompt shortens the caption instead of leading beyond the last position."""
    assert max_length(POSITIONS - 3, GenerationOptions(), manifest(20)) == POSITIONS


@pytest.mark.parametrize(("configured", "room"), [(20, POSITIONS - 1), (12, 11)])
def test_a_prompt_without_room_for_a_caption_is_refused(configured: int, room: int) -> None:
    """The error tells how many tokens the prompt took and how many there are."""
    max_length(room, GenerationOptions(), manifest(configured))
    with pytest.raises(PromptTooLong, match=f"takes {room + 1} tokens and at most {room}"):
        max_length(room + 1, GenerationOptions(), manifest(configured))


def test_max_new_tokens_makes_room_beyond_the_configured_length() -> None:
    """Only the positions bound a caption whose length is asked for."""
    assert max_length(15, GenerationOptions(max_new_tokens=3), manifest(12)) == 18


def test_max_new_tokens_beyond_the_positions_is_out_of_range() -> None:
    """transformers fails with an index error there."""
    max_length(5, GenerationOptions(max_new_tokens=POSITIONS - 5), manifest(20))
    with pytest.raises(OptionOutOfRange, match="at most 35 after a prompt of 5 tokens"):
        max_length(5, GenerationOptions(max_new_tokens=POSITIONS - 4), manifest(20))
