"""ROUGE-L between two captions."""

import pytest

from export.verification.text_overlap import rouge_l


@pytest.mark.parametrize(
    ("expected", "found", "score"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([1, 2, 3], [4, 5], 0.0),
        ([], [], 1.0),
        ([], [1], 0.0),
        # Lin's example: "police killed the gunman", "police kill the gunman" and
        # "the gunman kill police" have subsequences of 3 and 2 tokens in common.
        ([1, 2, 3, 4], [1, 5, 3, 4], 0.75),
        ([1, 2, 3, 4], [3, 4, 5, 1], 0.5),
        ([1, 2], [1, 2, 3, 4], 2 / 3),
    ],
)
def test_known_cases(expected: list[int], found: list[int], score: float) -> None:
    """Order counts, and both ways of being longer."""
    assert rouge_l(expected, found) == pytest.approx(score)
    assert rouge_l(found, expected) == pytest.approx(score)
