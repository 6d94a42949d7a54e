import pytest

from benchmarks.tables import Table, duration, megabytes, percentile, percentiles


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.4, "2.40 s"),
        (0.074, "74.0 ms"),
        (0.00024, "0.240 ms"),
        (0.48, "480 ms"),
        (61, "61.0 s"),
        (306, "306 s"),
    ],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    """A duration is shown with three significant digits in seconds or milliseconds."""
    assert duration(seconds) == text


def test_percentiles_are_interpolated() -> None:
    """A percentile is interpolated linearly between the values, in whatever order they are."""
    values = [float(value) for value in range(100, -1, -1)]
    assert [percentile(values, rank) for rank in (50, 90, 99)] == [50, 90, 99]
    assert percentile([*range(10)], 90) == pytest.approx(8.1)


@pytest.mark.parametrize(("rank", "needed"), [(90, 10), (99, 100)])
def test_a_small_sample_has_no_high_percentile(rank: int, needed: int) -> None:
    """A percentile is given from the sample size on of which one value lies beyond it."""
    values = [float(value) for value in range(needed)]
    assert percentile(values, rank) is not None
    assert percentile(values[1:], rank) is None


def test_cells_without_support_are_empty() -> None:
    """The cells of p90 and p99 are empty for eight values, and all but the count for none."""
    assert percentiles([0.1] * 8) == ("8", "100 ms", "", "", "100 ms", "100 ms")
    assert percentiles([]) == ("0", "", "", "", "", "")


@pytest.mark.parametrize(("size", "text"), [(1.5e9, "1,500 MB"), (12e6, "12 MB"), (1e5, "0.1 MB")])
def test_small_sizes_are_not_rounded_to_nothing(size: float, text: str) -> None:
    """Bytes are shown in whole megabytes, and small sizes with two digits."""
    assert megabytes(size) == text


def test_a_table_is_aligned_markdown() -> None:
    """Title and note stand around a Markdown table, whose figures are right-justified."""
    table = Table("Title", ("", "n"), (("ours", "5"), ("tutorial", "1000")), "A note.")
    assert table.to_markdown().splitlines() == [
        "**Title**",
        "",
        "|          |    n |",
        "| -------- | ---: |",
        "| ours     |    5 |",
        "| tutorial | 1000 |",
        "",
        "A note.",
    ]
