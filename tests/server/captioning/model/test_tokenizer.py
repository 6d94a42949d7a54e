"""Prompts without text, and tokenizer files that are unusual or do not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.captioning.errors import ModelDirectoryError
from server.captioning.model.tokenizer import PromptTokenizer
from tests.committed_model import MODEL
from tests.server.captioning.manifests import MANIFEST

TOKENIZER = MODEL / "tokenizer.json"


@pytest.fixture(scope="module")
def prompts() -> PromptTokenizer:
    return PromptTokenizer.open(TOKENIZER, MANIFEST)


def test_no_prompt_and_an_empty_one_start_alike(prompts: PromptTokenizer) -> None:
    """No prompt and an empty prompt both start from [DEC] alone, as in transformers."""
    assert prompts.encode(None) == prompts.encode("") == (30522,)


def test_half_a_character_is_dropped(prompts: PromptTokenizer) -> None:
    """A lone surrogate is dropped from the prompt."""
    assert prompts.encode("a \ud83d dog") == prompts.encode("a  dog")


def test_a_saved_truncation_and_padding_are_switched_off(
    tmp_path: Path, prompts: PromptTokenizer
) -> None:
    """Prompts are neither truncated nor padded, whatever tokenizer.json says."""
    document = json.loads(TOKENIZER.read_text())
    document["truncation"] = {
        "direction": "Right",
        "max_length": 4,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    document["padding"] = {
        "strategy": {"Fixed": 8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    opened = PromptTokenizer.open(tmp_path / "tokenizer.json", MANIFEST)
    for prompt in ("", "a picture of two cats"):
        assert opened.encode(prompt) == prompts.encode(prompt)


def without_post_processor(document: dict[str, Any]) -> None:
    document["post_processor"] = None


def with_another_word(document: dict[str, Any]) -> None:
    document["model"]["vocab"]["neologism"] = 30524


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without_post_processor, r"does not put \[CLS\] and \[SEP\] around"),
        (with_another_word, "knows 30525 tokens, the decoder 30524"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    """A tokenizer without [CLS] and [SEP], or with more tokens than the decoder, is refused."""
    document = json.loads(TOKENIZER.read_text())
    change(document)
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ModelDirectoryError, match=complaint):
        PromptTokenizer.open(tmp_path / "tokenizer.json", MANIFEST)
