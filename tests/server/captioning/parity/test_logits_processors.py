"""The array functions against transformers' logits processors."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from transformers import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from server.captioning.generation.logits_processors import (
    ban_repeated_ngrams,
    log_softmax,
    penalize_repetition,
)

pytestmark = pytest.mark.parity

VOCABULARY = 6
SCORES = arrays(np.float32, (2, VOCABULARY), elements=st.floats(-20, 20, width=32))
TOKEN_IDS = st.integers(1, 9).flatmap(
    lambda length: arrays(np.int64, (2, length), elements=st.integers(0, VOCABULARY - 1))
)


def processed(processor: Any, token_ids: Any, scores: Any) -> Any:
    return processor(torch.from_numpy(token_ids), torch.from_numpy(scores.copy())).numpy()


@given(SCORES, TOKEN_IDS, st.floats(0.1, 10))
def test_repetition_penalty_equals_transformers(
    scores: Any, token_ids: Any, penalty: float
) -> None:
    """Bit for bit, for positive and negative scores, each token once however often it occurs."""
    expected = processed(RepetitionPenaltyLogitsProcessor(penalty), token_ids, scores)
    np.testing.assert_array_equal(penalize_repetition(scores, token_ids, penalty), expected)


@given(SCORES, TOKEN_IDS, st.integers(1, 5))
def test_banned_ngrams_equal_transformers(scores: Any, token_ids: Any, size: int) -> None:
    """The same tokens become impossible, for sequences shorter and longer than the n-gram."""
    expected = processed(NoRepeatNGramLogitsProcessor(size), token_ids, scores)
    np.testing.assert_array_equal(ban_repeated_ngrams(scores, token_ids, size), expected)


@given(SCORES)
def test_log_softmax_equals_torch(scores: Any) -> None:
    """Log-probabilities to within float32's rounding."""
    expected = torch.from_numpy(scores).log_softmax(-1).numpy()
    np.testing.assert_allclose(log_softmax(scores), expected, rtol=1e-6, atol=1e-6)
