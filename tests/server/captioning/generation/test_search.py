"""The log-probabilities that a search returns with its token sequence."""

import numpy as np
import pytest

from server.captioning.arrays import Logits
from server.captioning.generation.types import DecoderInput, SearchSettings
from tests.server.captioning.searching import searched


class Script:
    """A decoder that makes each row's next token the one after its last."""

    def __call__(self, step: DecoderInput) -> Logits:
        logits = np.zeros((len(step.tokens), 10), np.float32)
        logits[np.arange(len(logits)), (step.tokens[:, -1] + 1) % 10] = np.log(9.0)
        return logits


def test_log_probs_are_of_the_generated_tokens_alone() -> None:
    """One log-probability for each generated token: 9 of 18 parts of probability, each time."""
    settings = SearchSettings(end_token=6, max_length=10)
    found = searched((1, 2), settings, Script())
    assert found.token_ids == (1, 2, 3, 4, 5, 6)
    assert found.log_probs == pytest.approx([np.log(0.5)] * 4)


def test_log_probs_follow_their_beam() -> None:
    """A beam's log-probabilities are those of its own tokens, whichever beams it came through."""
    settings = SearchSettings(end_token=6, max_length=10, num_beams=3)
    found = searched((1, 2), settings, Script())
    assert found.token_ids == (1, 2, 3, 4, 5, 6)
    assert found.log_probs == pytest.approx([np.log(0.5)] * 4)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_penalties_leave_log_probs_alone(num_beams: int) -> None:
    """A penalty changes what is chosen, not how likely the model says it is."""
    settings = SearchSettings(
        end_token=6, max_length=10, num_beams=num_beams, repetition_penalty=1.1
    )
    found = searched((4, 2), settings, Script())
    assert found.token_ids == (4, 2, 3, 4, 5, 6)
    assert found.log_probs == pytest.approx([np.log(0.5)] * 4)
