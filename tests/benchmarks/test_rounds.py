import numpy as np

from benchmarks.rounds import median_interval, ratios_by_round, rotated


def test_each_round_has_another_first() -> None:
    """Three rounds begin with each of three contestants once, and visit all of them."""
    orders = [rotated("abc", number) for number in range(1, 4)]
    assert orders == [["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


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
