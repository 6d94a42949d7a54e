"""Text becomes token ids and back as with transformers' BlipProcessor."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizerFast, BlipProcessor

from server.captioning.errors import ModelDirectoryError
from server.captioning.model.tokenizer import PromptTokenizer
from tests.server.captioning.manifests import MANIFEST

CHECKPOINT = Path(__file__).parents[4] / "models" / "emoji_blip" / "checkpoint"
TOKENIZER = CHECKPOINT / "tokenizer.json"


@pytest.fixture(scope="module")
def processor() -> Any:
    return BlipProcessor.from_pretrained(CHECKPOINT, use_fast=False)


@pytest.fixture(scope="module")
def fast_tokenizer() -> Any:
    """Open the tokenizer that BlipProcessor wraps by default."""
    return BertTokenizerFast.from_pretrained(CHECKPOINT)


@pytest.fixture(scope="module")
def prompts() -> PromptTokenizer:
    return PromptTokenizer.open(TOKENIZER, MANIFEST)


def generation_starts_from(tokenize: Any, prompt: str) -> tuple[int, ...]:
    """Replace the first token and drop the last, as BlipForConditionalGeneration.generate does."""
    return (30522, *tokenize(text=prompt).input_ids[1:-1])


@pytest.mark.parametrize(
    "prompt",
    [
        "a picture of",
        "A Photo OF\ttwo  cats\n",
        "it's a dog's café, don't!",
        "naïve Ünïcödé 猫 and 🐱",
        "supercalifragilisticexpialidocious " + "x" * 200,
        "a [SEP] b [CLS] [PAD] [MASK] [UNK] [DEC] [ENC] [sep]",
        "[SEP]",
        "zero\u200bwidth \x00 nul \x7f \u202e",
        " ",
    ],
)
def test_prompts_equal_processor(prompts: PromptTokenizer, processor: Any, prompt: str) -> None:
    """Generation starts from the same ids, also where the prompt spells out special tokens."""
    assert prompts.encode(prompt) == generation_starts_from(processor, prompt)


@given(st.text(max_size=40))
def test_any_prompt_equals_tokenizer(
    prompts: PromptTokenizer, fast_tokenizer: Any, prompt: str
) -> None:
    """Any text gives the same ids as the fast tokenizer."""
    assert prompts.encode(prompt) == generation_starts_from(fast_tokenizer, prompt)


def test_no_prompt_and_an_empty_one_start_alike(prompts: PromptTokenizer) -> None:
    """No prompt and an empty prompt both start from [DEC] alone, as in transformers."""
    assert prompts.encode(None) == prompts.encode("") == (30522,)


def test_half_a_character_is_dropped(prompts: PromptTokenizer) -> None:
    """A lone surrogate is dropped from the prompt."""
    assert prompts.encode("a \ud83d dog") == prompts.encode("a  dog")


@given(st.lists(st.integers(0, 30523), max_size=20))
def test_texts_equal_processor(
    prompts: PromptTokenizer, processor: Any, token_ids: list[int]
) -> None:
    """Any ids give what processor.decode(..., skip_special_tokens=True) gives."""
    expected = processor.decode(token_ids, skip_special_tokens=True)
    assert prompts.decode(tuple(token_ids)) == expected


@pytest.mark.parametrize("clean_up", [True, False])
def test_clean_up_is_as_the_checkpoint_has_it(fast_tokenizer: Any, clean_up: bool) -> None:
    """The checkpoint's clean_up_tokenization_spaces decides about spaces before punctuation."""
    tokens = replace(MANIFEST.tokens, clean_up_spaces=clean_up)
    prompts = PromptTokenizer.open(TOKENIZER, replace(MANIFEST, tokens=tokens))
    token_ids = prompts.encode("the dog's hat, isn't it ? we ' ve 'x'. do not !")
    expected = fast_tokenizer.decode(
        token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=clean_up
    )
    assert prompts.decode(token_ids) == expected


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
