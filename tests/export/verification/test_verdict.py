"""What becomes of measured agreement: accepted, warned or refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from export.verification.logits import LogitError
from export.verification.near_ties import MAX_GAP, near_tie_gap
from export.verification.parity import Case, TokenIds
from export.verification.pictures import Picture
from export.verification.verdict import (
    Comparison,
    Int8Measures,
    Verdict,
    judge_fp32,
    judge_int8,
)

PHOTOGRAPHS, CROPS = 20, 10
CASES = [
    Case(Picture(f"{photograph}-{crop}", b"", f"{photograph}.jpg"), None, None)
    for photograph in range(PHOTOGRAPHS)
    for crop in range(CROPS)
]
CAPTION: TokenIds = (1, 2, 3, 4)
OTHER: TokenIds = (1, 2, 9, 4)


def compare(differing: Sequence[int]) -> Comparison:
    """Return 200 captions of 20 photographs, of which some differ from token 2 on."""
    found = [OTHER if index in differing else CAPTION for index in range(len(CASES))]
    return Comparison(CASES, [CAPTION] * len(CASES), found)


def judge(
    differing: Sequence[int], minimum: float, gap: float = 5.0, gap_error: float = 0.1
) -> Verdict:
    """Judge int8, whose captions `differing` transformers decided by `gap`."""
    comparison = compare(differing)
    gaps = [None if same else gap for same in comparison.equal]
    measures = Int8Measures(gaps, [1] * len(CASES), LogitError(0.05, 0.999, gap_error))
    return judge_int8(comparison, measures, minimum)


@pytest.mark.parametrize(
    ("differing", "minimum", "decision"),
    [
        (0, 1.0, "accepted"),
        (10, 0.95, "accepted"),  # exactly the minimum
        (11, 0.95, "warned"),
        (20, 0.95, "refused"),
        (200, 0.95, "refused"),
        (200, 0.0, "accepted"),
    ],
)
def test_differences_that_are_spread_evenly(differing: int, minimum: float, decision: str) -> None:
    """The measured share is accepted. It is refused if the whole interval is below the minimum."""
    evenly = [index * 199 // max(differing, 1) for index in range(differing)]
    if differing == 200:
        evenly = list(range(200))
    assert judge(evenly, minimum).decision == decision


def test_differences_in_two_photographs_are_no_reason_to_refuse() -> None:
    """20 captions that are refused if spread over all photographs only warn."""
    verdict = judge(range(20), 0.95)
    assert verdict.decision == "warned"
    ends: Any = verdict.figures["agreement_interval"]
    assert ends[0] < 0.9 < 0.95 < ends[1]


def test_a_near_tie_counts_as_agreement_and_is_counted_apart() -> None:
    """Strict and adjusted figures are both in the manifest; the verdict uses the adjusted one."""
    verdict = judge(range(0, 200, 10), 0.95, gap=0.05)
    assert verdict.decision == "accepted"
    assert verdict.figures["identical_to_transformers"] == 180
    assert verdict.figures["near_ties"] == 20
    assert verdict.figures["agreement"] == 1
    assert "180 are equal token for token, 20 up to a near tie" in verdict.summary


def test_errors_of_a_damaged_model_excuse_no_difference() -> None:
    """A near tie is never wider than a limit, however large int8's usual error is."""
    assert near_tie_gap(0.01) == 0.01
    assert near_tie_gap(50.0) == MAX_GAP
    assert judge(range(200), 0.95, gap=1.0, gap_error=50.0).decision == "refused"


def test_a_warning_says_what_was_measured_and_shows_a_caption() -> None:
    """Share, interval, minimum and the worst difference are in one line."""
    summary = judge(range(20), 0.95).summary
    assert "90.0% of 200 captions agree with transformers' (95% interval " in summary
    assert "--min-agreement is 95.0%" in summary
    assert "from token 2 on: [1, 2, 9, 4] instead of [1, 2, 3, 4]" in summary
    assert "\n" not in summary


def test_a_warning_shows_no_near_tie() -> None:
    """Of 20 differing captions those that a near tie decided are not the worst."""
    comparison = compare(range(20))
    gaps = [0.01] * 10 + [5.0] * 10 + [None] * 180
    measures = Int8Measures(gaps, [1] * len(CASES), LogitError(0.05, 0.999, 0.1))
    summary = judge_int8(comparison, measures, 0.98).summary
    assert "10 captions differ from transformers' by more; the worst (1-0, no prompt" in summary


def test_overlap_counts_generated_tokens_only() -> None:
    """The token that was given is no achievement: of three generated ones two agree."""
    assert judge(range(200), 0.0).figures["rouge_l"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_figures_say_what_was_compared() -> None:
    """Photographs and their crops are counted apart."""
    figures = judge([], 0.95).figures
    assert (figures["photographs"], figures["pictures"], figures["captions"]) == (20, 200, 200)


@pytest.mark.parametrize(("differing", "decision"), [([], "accepted"), ([7], "refused")])
def test_fp32_allows_no_difference(differing: list[int], decision: str) -> None:
    """One of 200 captions is too many."""
    verdict = judge_fp32(compare(differing))
    assert verdict.decision == decision
    assert verdict.figures["identical_to_transformers"] == 200 - len(differing)
    assert verdict.summary.startswith("1 of 200 captions differ" if differing else "all 200")
