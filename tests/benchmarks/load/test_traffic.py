import asyncio
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from benchmarks.http.client import prepare
from benchmarks.load.traffic import Traffic, draw_ranks, poisson_arrivals
from benchmarks.pictures import Size, draw


def test_arrivals_come_at_their_rate() -> None:
    """Poisson arrivals are ordered, within the duration, and as many as the rate says."""
    times = poisson_arrivals(100, 100, np.random.default_rng(0))
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 100
    # The count is Poisson distributed: its standard deviation is the root of 10,000.
    assert abs(len(times) - 10_000) < 500


def test_arrivals_are_independent() -> None:
    """Gaps are exponential: their standard deviation equals their mean."""
    gaps = np.diff(poisson_arrivals(100, 100, np.random.default_rng(1)))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)


def test_hit_ratio_is_kept() -> None:
    """The share of popular draws is the hit ratio."""
    ranks = list(islice(draw_ranks(10, 0.7, np.random.default_rng(0)), 10_000))
    assert sum(rank is not None for rank in ranks) == pytest.approx(7000, abs=200)


def test_popularity_follows_zipf() -> None:
    """Rank k is drawn in proportion to k to the power of -0.8."""
    counts = Counter(islice(draw_ranks(100, 1.0, np.random.default_rng(0)), 50_000))
    assert counts[0] / counts[9] == pytest.approx(10**0.8, rel=0.2)


def test_no_hits_at_ratio_zero() -> None:
    """With a hit ratio of zero every draw is new."""
    assert set(islice(draw_ranks(10, 0.0, np.random.default_rng(0)), 100)) == {None}


def test_new_files_are_never_the_same() -> None:
    """Half the requests are of cached files, and no two others have the same bytes."""

    async def requests() -> None:
        motif = draw(Size("tiny", 40, 30, 12), 0)
        cached = [await prepare(motif, None, str(number)) for number in range(3)]
        traffic = Traffic([motif], cached, 0.5, np.random.default_rng(0))
        drawn = await traffic.draw(100)
        new = [each.body for each in drawn if each not in cached]
        assert len(drawn) == 100
        assert 30 < len(new) < 70
        assert len(set(new)) == len(new)

    asyncio.run(requests())
