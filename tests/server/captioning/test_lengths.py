"""How long captions may get, against generate() itself."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from server.captioning.errors import OptionOutOfRange, PromptTooLong
from server.captioning.lengths import max_length
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions
from tests.export.checkpoints import Geometry, build_model
from tests.server.captioning.manifests import MANIFEST

POSITIONS = 40


def manifest(configured: int) -> Manifest:
    return replace(
        MANIFEST,
        decoder=replace(MANIFEST.decoder, max_positions=POSITIONS),
        generation=replace(MANIFEST.generation, max_length=configured),
    )


@pytest.fixture(scope="module")
def model() -> Any:
    """A model whose captions never end by themselves."""
    model = build_model(Geometry(8, 8, 8, 1, 1, 8, 1, 1, vocab_size=120, max_positions=POSITIONS))
    model.text_decoder.cls.predictions.bias.data[102] -= 1000
    model.config.text_config.bos_token_id = 100
    return model


@pytest.mark.parametrize("max_new_tokens", [None, 1, 7])
@pytest.mark.parametrize("configured", [20, 12])
@pytest.mark.parametrize("prompt_length", [1, 5, 11])
def test_length_equals_generate(
    model: Any, prompt_length: int, configured: int, max_new_tokens: int | None
) -> None:
    """Default, configured and asked-for lengths are those of transformers."""
    model.text_decoder.generation_config = GenerationConfig(max_length=configured)
    output = model.generate(
        pixel_values=torch.zeros(1, 3, 8, 8),
        input_ids=torch.ones(1, prompt_length + 1, dtype=torch.int64),
        attention_mask=torch.ones(1, prompt_length + 1, dtype=torch.int64),
        **({} if max_new_tokens is None else {"max_new_tokens": max_new_tokens}),
    )
    options = GenerationOptions(max_new_tokens=max_new_tokens)
    assert max_length(prompt_length, options, manifest(configured)) == output.shape[1]


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
