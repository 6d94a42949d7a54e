import pytest
from rich.console import Console

from benchmarks.summaries import Summary
from benchmarks.tables import (
    Table,
    duration,
    megabytes,
    percentiles,
    print_tables,
    with_spread,
)


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


def test_the_spread_follows_the_median() -> None:
    """A median is shown with the least and the greatest value."""
    assert with_spread(Summary.of([0.1, 0.2, 0.4])) == "200 ms (100 ms to 400 ms)"
    assert with_spread(Summary.of([0.5, 1.0, 1.5])) == "1.00 s (500 ms to 1.50 s)"


def test_cells_without_support_are_empty() -> None:
    """The cells of p90 and p99 are empty for eight values, and all but the count for none."""
    assert percentiles(Summary.of([0.1] * 8)) == ("8", "100 ms", "", "", "100 ms", "100 ms")
    assert percentiles(None) == ("0", "", "", "", "", "")


@pytest.mark.parametrize(("size", "text"), [(1.5e9, "1,500 MB"), (12e6, "12 MB"), (1e5, "0.1 MB")])
def test_small_sizes_are_not_rounded_to_nothing(size: float, text: str) -> None:
    """Bytes are shown in whole megabytes, and small sizes with two digits."""
    assert megabytes(size) == text


def test_a_table_is_markdown_and_terminal_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The same title, cells and note are in both renderings."""
    table = Table("Title", ("", "n"), (("ours", "5"),), "A note.")
    assert table.to_markdown() == "**Title**\n\n|  | n |\n| --- | ---: |\n| ours | 5 |\n\nA note.\n"
    print_tables([table], Console(width=80))
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("Title", "ours", "5", "A note."))
