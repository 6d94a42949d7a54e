"""How sure an agreement is."""

import numpy as np
import pytest

from export.verification.statistics import bootstrap_interval, share_of

PHOTOGRAPHS, CAPTIONS = 24, 12
NAMES = [f"{index:02}.jpg" for index in range(PHOTOGRAPHS) for _ in range(CAPTIONS)]


def test_the_share_counts_captions_and_the_interval_holds_it() -> None:
    """Of 288 captions the 12 of one photograph differ."""
    share = share_of([name != "07.jpg" for name in NAMES], NAMES)
    assert (share.agreeing, share.captions) == (276, 288)
    assert share.interval.low < share.value == 276 / 288 < share.interval.high


def test_the_same_captions_give_the_same_interval() -> None:
    """The resampling is seeded, so that a manifest's figures can be had again."""
    agrees = [index % 7 > 0 for index in range(len(NAMES))]
    assert share_of(agrees, NAMES) == share_of(agrees, NAMES)


def test_without_a_difference_the_interval_reaches_1_and_has_a_width() -> None:
    """200 equal captions of 20 photographs don't show that every caption is equal."""
    share = share_of([True] * 200, NAMES[:240:12] * 10)
    assert share.interval.high == 1
    assert 0.9 < share.interval.low < 0.99


def test_without_an_equal_caption_the_interval_is_at_0() -> None:
    """Nothing agrees, in any resample."""
    assert share_of([False] * len(NAMES), NAMES).interval.high == 0


def test_differences_within_photographs_widen_the_interval() -> None:
    """24 differences in two photographs say less than one in each of 24."""
    spread = share_of([index % CAPTIONS > 0 for index in range(len(NAMES))], NAMES)
    together = share_of([name > "01.jpg" for name in NAMES], NAMES)
    assert spread.value == together.value
    width = spread.interval.high - spread.interval.low
    assert together.interval.high - together.interval.low > 2 * width


@pytest.mark.parametrize(("share", "correlation"), [(0.9, 0.2), (0.98, 0.05)])
def test_the_interval_holds_the_true_share(share: float, correlation: float) -> None:
    """In at least 90 % of samples. All of it is below in hardly any, where int8 is refused."""
    rng = np.random.default_rng(0)
    spread = (1 - correlation) / correlation
    captions = np.full(PHOTOGRAPHS, float(CAPTIONS))
    samples = [
        rng.binomial(CAPTIONS, rng.beta(share * spread, (1 - share) * spread, PHOTOGRAPHS))
        for _ in range(100)
    ]
    intervals = [bootstrap_interval(sample.astype(np.float64), captions) for sample in samples]
    assert np.mean([each.low <= share <= each.high for each in intervals]) >= 0.9
    assert np.mean([each.high < share for each in intervals]) <= 0.05
