"""Text to ids and back, against BlipProcessor."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizerFast, BlipProcessor

from server.captioning.model.tokenizer import PromptTokenizer
from tests.server.captioning.manifests import MANIFEST

pytestmark = pytest.mark.parity

CHECKPOINT = Path(__file__).parents[4] / "models" / "emoji_blip" / "checkpoint"
TOKENIZER = CHECKPOINT / "tokenizer.json"


@pytest.fixture(scope="module")
def processor() -> Any:
    return BlipProcessor.from_pretrained(CHECKPOINT, use_fast=False)


@pytest.fixture(scope="module")
def fast_tokenizer() -> Any:
    """What BlipProcessor wraps by default."""
    return BertTokenizerFast.from_pretrained(CHECKPOINT)


@pytest.fixture(scope="module")
def prompts() -> PromptTokenizer:
    return PromptTokenizer.open(TOKENIZER, MANIFEST)


def generation_starts_from(tokenize: Any, prompt: str) -> tuple[int, ...]:
    """BlipForConditionalGeneration.generate: the first token replaced, the last dropped."""
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
    """The ids that generation starts from, special tokens in the prompt's text included."""
    assert prompts.encode(prompt) == generation_starts_from(processor, prompt)


@given(st.text(max_size=40))
def test_any_prompt_equals_tokenizer(
    prompts: PromptTokenizer, fast_tokenizer: Any, prompt: str
) -> None:
    """Whatever the text."""
    assert prompts.encode(prompt) == generation_starts_from(fast_tokenizer, prompt)


@given(st.lists(st.integers(0, 30523), max_size=20))
def test_texts_equal_processor(
    prompts: PromptTokenizer, processor: Any, token_ids: list[int]
) -> None:
    """Decoding any ids gives processor.decode(..., skip_special_tokens=True)."""
    expected = processor.decode(token_ids, skip_special_tokens=True)
    assert prompts.decode(tuple(token_ids)) == expected


@pytest.mark.parametrize("clean_up", [True, False])
def test_clean_up_is_as_the_checkpoint_has_it(fast_tokenizer: Any, clean_up: bool) -> None:
    """clean_up_tokenization_spaces decides about the spaces around an apostrophe."""
    tokens = replace(MANIFEST.tokens, clean_up_spaces=clean_up)
    prompts = PromptTokenizer.open(TOKENIZER, replace(MANIFEST, tokens=tokens))
    token_ids = prompts.encode("the dog's hat, isn't it ? we ' ve 'x'. do not !")
    expected = fast_tokenizer.decode(
        token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=clean_up
    )
    assert prompts.decode(token_ids) == expected
