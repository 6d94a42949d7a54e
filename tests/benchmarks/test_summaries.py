import numpy as np
import pytest

from benchmarks.summaries import Summary, median_interval, percentile, ratios_by_round


def test_percentiles_of_known_values() -> None:
    """A summary's percentiles are interpolated linearly between the values."""
    summary = Summary.of([float(value) for value in range(101)])
    assert summary == Summary(count=101, min=0, p50=50, p90=90, p99=99, max=100)


def test_order_does_not_matter() -> None:
    """A summary does not depend on the order of measurement."""
    assert Summary.of([3.0, 1.0, 2.0]) == Summary.of([1.0, 2.0, 3.0])


@pytest.mark.parametrize(("rank", "needed"), [(90, 10), (99, 100)])
def test_a_small_sample_has_no_high_percentile(rank: int, needed: int) -> None:
    """A percentile is given from the sample size on of which one value lies beyond it."""
    values = [float(value) for value in range(needed)]
    assert percentile(values, rank) is not None
    assert percentile(values[1:], rank) is None


def test_eight_values_have_a_median_only() -> None:
    """A summary of eight values has a median and extremes, but neither p90 nor p99."""
    assert Summary.of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) == Summary(8, 1, 4.5, None, None, 8)


def test_an_empty_sample_has_no_median() -> None:
    """An empty sample is an error, not a zero that would look like a fast server."""
    with pytest.raises(ValueError, match="at least one value"):
        Summary.of([])


def test_ratios_are_taken_within_rounds() -> None:
    """A machine that gets ten times slower does not change a ratio; lone rounds are skipped."""
    assert ratios_by_round({1: 2.0, 2: 20.0, 3: 1.0}, {1: 1.0, 2: 10.0, 4: 5.0}) == [2.0, 2.0]


def test_interval_of_thirty_values() -> None:
    """Of 30 values the interval runs from the 10th to the 21st: k is 10 in binomial tables."""
    assert median_interval([float(value) for value in range(30, 0, -1)]) == (10.0, 21.0)


def test_an_interval_needs_six_values() -> None:
    """Six values are all within the interval; five cannot give 95 % of confidence."""
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (1.0, 6.0)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


def test_the_interval_covers_the_median_as_often_as_it_says() -> None:
    """Of 2,000 samples of 30 skewed values, 95.7 % of the intervals hold the true median."""
    rng = np.random.default_rng(0)
    samples = rng.lognormal(size=(2000, 30))
    intervals = [median_interval(sample.tolist()) for sample in samples]
    covered = [each is not None and each[0] <= 1.0 <= each[1] for each in intervals]
    assert 0.94 < np.mean(covered) < 0.975
