"""The array functions where transformers is no help."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from server.captioning.generation.logits_processors import log_softmax, top_k


def test_log_softmax_does_not_overflow() -> None:
    """Logits beyond what exp() can hold give finite log-probabilities."""
    assert log_softmax(np.array([[1e4, 0.0]], np.float32)) == pytest.approx(np.array([[0, -1e4]]))


@given(arrays(np.float32, 50, elements=st.floats(-9, 9, width=32), unique=True), st.integers(1, 60))
def test_top_k_is_the_head_of_the_sorted_array(values: Any, k: int) -> None:
    """Descending, and all of the array where k exceeds it."""
    np.testing.assert_array_equal(top_k(values, k), np.argsort(-values)[:k])
