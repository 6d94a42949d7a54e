import pytest

from benchmarks.summaries import Summary, ratios
from benchmarks.tables import duration, megabytes, with_spread


def test_percentiles_of_known_values() -> None:
    """A summary's percentiles are interpolated linearly between the values."""
    summary = Summary.of([float(value) for value in range(101)])
    assert summary == Summary(count=101, min=0, p50=50, p90=90, p99=99, max=100)


def test_order_does_not_matter() -> None:
    """The order in which values were measured changes nothing."""
    assert Summary.of([3.0, 1.0, 2.0]) == Summary.of([1.0, 2.0, 3.0])


def test_nothing_has_no_median() -> None:
    """No values are an error, not a zero that would look like a very fast server."""
    with pytest.raises(ValueError, match="at least one value"):
        Summary.of([])


def test_ratios_are_taken_within_rounds() -> None:
    """A machine that gets ten times slower in mid-run does not change a ratio."""
    assert ratios([2.0, 20.0], [1.0, 10.0]) == Summary(2, 2, 2, 2, 2, 2)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.4, "2.40 s"), (0.074, "74.0 ms"), (0.00024, "0.240 ms"), (0.48, "480 ms"), (61, "61.0 s")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    """A duration is shown with three significant digits in seconds or milliseconds."""
    assert duration(seconds) == text


def test_spread_goes_with_the_median() -> None:
    """A median is shown with the least and the greatest value."""
    assert with_spread(Summary.of([0.1, 0.2, 0.4])) == "200 ms (100 to 400)"


@pytest.mark.parametrize(("size", "text"), [(1.5e9, "1,500 MB"), (12e6, "12 MB"), (1e5, "0.1 MB")])
def test_small_sizes_are_not_rounded_to_nothing(size: float, text: str) -> None:
    """Bytes are shown in whole megabytes, and with two digits where there are few."""
    assert megabytes(size) == text
