"""Greedy and beam search against generate(), over a language that both speak."""

import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from server.captioning.generation.types import (
    SearchSettings,
)
from tests.server.captioning.parity.language import END, VOCABULARY, Language, Speaker
from tests.server.captioning.searching import searched

pytestmark = pytest.mark.parity

PROCESSORS: list[dict[str, Any]] = [
    {},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 0.6},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
]
STOPPING_RULES = [False, True, "never"]


@dataclass(frozen=True)
class Case:
    """A prompt in a language, and what it is continued with."""

    language: Language
    prompt_ids: tuple[int, ...]
    max_length: int
    options: dict[str, Any]

    @classmethod
    def sample(cls, seed: int, **options: Any) -> "Case":
        rng = random.Random(seed)
        prompt_ids = tuple(rng.choices(range(VOCABULARY), k=rng.choice([1, 2, 5])))
        max_length = len(prompt_ids) + rng.choice([1, 5, 20])
        return cls(Language(seed), prompt_ids, max_length, options)

    @torch.inference_mode()
    def generated(self) -> list[int]:
        """transformers' answer."""
        input_ids = torch.tensor([self.prompt_ids])
        output = self.language.generate(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            max_length=self.max_length,
            eos_token_id=END,
            pad_token_id=0,
            use_cache=False,
            **self.options,
        )
        ids: list[int] = output[0].tolist()
        return ids

    @torch.inference_mode()
    def found(self) -> list[int]:
        """Our answer."""
        settings = SearchSettings(end_token=END, max_length=self.max_length, **self.options)
        return list(searched(self.prompt_ids, settings, Speaker(self.language)).token_ids)


@pytest.mark.parametrize("penalties", PROCESSORS, ids=str)
def test_greedy_search_equals_generate(penalties: dict[str, Any]) -> None:
    """The most likely next token, again and again, with every penalty that can be asked for."""
    for seed in range(20):
        case = Case.sample(seed, **penalties)
        assert case.found() == case.generated()


@pytest.mark.parametrize("early_stopping", STOPPING_RULES)
@pytest.mark.parametrize("length_penalty", [1.0, 2.0, 0.0, -1.0])
@pytest.mark.parametrize("num_beams", [2, 5])
def test_beam_search_equals_generate(
    num_beams: int, length_penalty: float, early_stopping: bool | str
) -> None:
    """The same best sequence for any number of beams, length penalty and stopping rule."""
    for seed in range(18):
        case = Case.sample(
            seed,
            num_beams=num_beams,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
            **PROCESSORS[seed % len(PROCESSORS)],
        )
        assert case.found() == case.generated()


def test_the_language_tells_stopping_rules_apart() -> None:
    """The comparison above would be worth little if every rule led to the same sequences."""
    outcomes = [
        [
            Case.sample(seed, num_beams=2, length_penalty=2.0, early_stopping=rule).generated()
            for seed in range(18)
        ]
        for rule in STOPPING_RULES
    ]
    assert outcomes[0] != outcomes[1] != outcomes[2] != outcomes[0]


def test_min_length_equals_generate() -> None:
    """A sequence shorter than `min_length` does not end."""
    for seed in range(10):
        case = replace(
            Case.sample(seed, num_beams=1 + seed % 2), max_length=30, options={"min_length": 25}
        )
        assert case.found() == case.generated()
        assert len(case.found()) >= 25
