import asyncio
from collections import Counter

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


def test_popularity_follows_zipf() -> None:
    """Rank k is drawn in proportion to k to the power of -0.8."""
    counts = Counter(draw_ranks(50_000, 100, np.random.default_rng(0)).tolist())
    assert counts[0] / counts[9] == pytest.approx(10**0.8, rel=0.2)


@pytest.mark.parametrize("hit_ratio", [0.0, 0.7, 1.0])
def test_the_hit_ratio_is_kept(hit_ratio: float) -> None:
    """The share of cached files is the hit ratio, and no two others have the same bytes."""

    async def requests() -> None:
        motif = draw(Size("tiny", 40, 30, 12), 0)
        cached = [await prepare(motif, None, str(number)) for number in range(3)]
        traffic = Traffic([motif], cached, hit_ratio, np.random.default_rng(0))
        drawn = await traffic.draw(400)
        new = [each.body for each in drawn if each not in cached]
        assert len(drawn) == 400
        assert 1 - len(new) / 400 == pytest.approx(hit_ratio, abs=0.07)
        assert len(set(new)) == len(new)

    asyncio.run(requests())
