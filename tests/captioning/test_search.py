"""Greedy and beam search against generate(), over a decoder that both share."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from server.captioning import search
from server.captioning.errors import Cancelled
from server.captioning.scores import Scores
from server.captioning.sequences import Feed, SearchSettings
from tests.captioning.torch_step import TorchStep
from tests.export.checkpoints import Geometry, build_model

START, END, VOCABULARY = 100, 102, 120

#: So few words that captions repeat themselves, end early, and leave beams little choice.
SMALL = Geometry(16, 8, 16, 1, 2, 16, 2, 2, vocab_size=VOCABULARY, max_positions=64)


@pytest.fixture(scope="module", params=[0.0, 1.5, 2.5], ids="end token bias {}".format)
def model(request: pytest.FixtureRequest) -> Any:
    model = build_model(SMALL)
    model.text_decoder.cls.predictions.bias.data[END] += request.param
    model.config.text_config.bos_token_id = START
    return model


@dataclass(frozen=True)
class Case:
    pixel_values: torch.Tensor
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    options: dict[str, Any]

    @classmethod
    def sample(cls, seed: int, **options: Any) -> "Case":
        rng = random.Random(seed)
        return cls(
            torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed)),
            (START, *rng.choices(range(VOCABULARY), k=rng.choice([0, 1, 4]))),
            rng.choice([1, 5, 20]),
            options,
        )


def generate(model: Any, case: Case) -> list[int]:
    """transformers' answer. The prompt is given as a processor would: with [SEP] at its end."""
    input_ids = torch.tensor([[*case.prompt_ids, END]])
    output = model.generate(
        pixel_values=case.pixel_values,
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        max_new_tokens=case.max_new_tokens,
        **case.options,
    )
    ids: list[int] = output[0].tolist()
    return ids


def find(model: Any, case: Case) -> list[int]:
    """Our answer."""
    settings = SearchSettings(
        end_token=END, max_length=len(case.prompt_ids) + case.max_new_tokens, **case.options
    )
    step = TorchStep(model, case.pixel_values)
    found = search.run(search.start(case.prompt_ids, settings), step, lambda: False)
    return list(found.token_ids)


PENALTIES: list[dict[str, Any]] = [
    {},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 0.6},
    {"no_repeat_ngram_size": 1},
    {"no_repeat_ngram_size": 3},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
]


@torch.inference_mode()
@pytest.mark.parametrize("penalties", PENALTIES, ids=str)
def test_greedy_search_equals_generate(model: Any, penalties: dict[str, Any]) -> None:
    """The most likely next token, again and again, with every penalty that can be asked for."""
    for seed in range(4):
        case = Case.sample(seed, **penalties)
        assert find(model, case) == generate(model, case)


@torch.inference_mode()
@pytest.mark.parametrize("early_stopping", [False, True, "never"])
@pytest.mark.parametrize("length_penalty", [1.0, 2.0, -1.0])
@pytest.mark.parametrize("num_beams", [2, 5])
def test_beam_search_equals_generate(
    model: Any, num_beams: int, length_penalty: float, early_stopping: bool | str
) -> None:
    """The same best sequence for any number of beams, length penalty and stopping rule."""
    for seed, penalties in enumerate(PENALTIES[::2]):
        case = Case.sample(
            seed,
            num_beams=num_beams,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
            **penalties,
        )
        assert find(model, case) == generate(model, case)


class Script:
    """A decoder that makes each row's next token the one after its last."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, feed: Feed) -> Scores:
        self.steps += 1
        logits = np.zeros((len(feed.tokens), 10), np.float32)
        logits[np.arange(len(logits)), (feed.tokens[:, -1] + 1) % 10] = np.log(9.0)
        return logits


def test_log_probs_are_of_the_generated_tokens_alone() -> None:
    """One log-probability for each generated token: 9 of 18 parts of probability, each time."""
    settings = SearchSettings(end_token=6, max_length=10)
    found = search.run(search.start((1, 2), settings), Script(), lambda: False)
    assert found.token_ids == (1, 2, 3, 4, 5, 6)
    assert found.log_probs == pytest.approx([np.log(0.5)] * 4)


def test_log_probs_follow_their_beam() -> None:
    """A beam's log-probabilities are those of its own tokens, whichever beams it came through."""
    settings = SearchSettings(end_token=6, max_length=10, num_beams=3)
    found = search.run(search.start((1, 2), settings), Script(), lambda: False)
    assert found.token_ids == (1, 2, 3, 4, 5, 6)
    assert found.log_probs == pytest.approx([np.log(0.5)] * 4)


def test_penalties_leave_log_probs_alone() -> None:
    """A penalty changes what is chosen, not how likely the model says it is."""
    settings = SearchSettings(end_token=6, max_length=10, no_repeat_ngram_size=1)
    found = search.run(search.start((3, 2), settings), Script(), lambda: False)
    assert found.token_ids[2] == 0
    assert found.log_probs[0] == pytest.approx(np.log(1 / 18))


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_cancelled_search_takes_no_further_step(num_beams: int) -> None:
    """Cancelled is raised instead of the first step that nobody waits for."""
    script = Script()
    settings = SearchSettings(end_token=6, max_length=10, num_beams=num_beams)
    with pytest.raises(Cancelled):
        search.run(search.start((1,), settings), script, lambda: script.steps == 2)
    assert script.steps == 2
