"""How long captions may get, against generate() itself."""

from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from server.captioning.lengths import max_length
from server.captioning.options import GenerationOptions
from tests.export.checkpoints import Geometry, build_model
from tests.server.captioning.test_lengths import POSITIONS, manifest

pytestmark = pytest.mark.parity


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
