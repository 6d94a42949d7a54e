"""Figures of recorded latencies, on a machine that slows down by the round."""

import pytest

from benchmarks.latency import against, figures
from tests.benchmarks.recorded import latency_run


def test_a_table_shows_every_kind() -> None:
    """Servers and kinds are rows; three samples have a median and no high percentile."""
    (table,) = figures.latency_tables(latency_run())
    assert [row[0] for row in table.rows] == [
        f"{server}, {kind}"
        for server in ("ours", "tutorial")
        for kind in figures.KINDS
        if (server, kind) != ("tutorial", "by digest")
    ]
    assert table.rows[0] == ("ours, cold", "3", "2.00 s", "", "", "1.00 s", "3.00 s")


def test_servers_are_compared_within_rounds() -> None:
    """A drift by three changes neither the distance of the servers nor the gain by a hit."""
    table = figures.comparison_table(latency_run(), "200 KB")
    assert table.columns == ("", "this server", "the tutorial's server", "ratio")
    assert table.rows[0] == ("a new picture", "2.00 s", "6.00 s", "3x (3x to 3x)")
    (by_digest,) = [row for row in table.rows if "by digest" in row[0]]
    assert by_digest[1:] == ("2.00 ms", "12.0 ms", "6x (6x to 6x)")
    assert [row[-1] for row in table.rows if row != by_digest] == ["3x (3x to 3x)"] * 4
    assert "by 500x (500x to 500x) on this server and 500x (500x to 500x) on the" in table.note


def test_a_server_may_be_measured_alone() -> None:
    """Without the tutorial's server its cells and the ratios are empty."""
    table = figures.comparison_table(latency_run({"ours": 1.0}), "200 KB")
    assert table.rows[0] == ("a new picture", "2.00 s", "", "")


def test_phases_are_shown_of_servers_that_state_them() -> None:
    """The medians of Server-Timing are rows; a server without the header has none."""
    table = figures.phase_table(latency_run())
    assert table.columns == ("", "decode")
    assert table.rows[0] == ("200 KB: ours, cold", "600 ms")
    assert not any("tutorial" in row[0] for row in table.rows)


def test_memory_is_shown_by_server() -> None:
    """The greatest memory of a server that was started is a row."""
    assert figures.memory_table(latency_run()).rows == (("ours", "500 MB"),)


def compared(this: float, other: float, rounds: int) -> dict[str, tuple[str, ...]]:
    run = latency_run({"this": this, "other": other}, rounds, this="abc1234", other="def5678")
    table = against.tables(run)[-1]
    assert "this abc1234, other def5678" in table.note
    return {row[0]: row[1:] for row in table.rows}


def test_checkouts_are_paired_by_round() -> None:
    """The ratio of two checkouts, its interval and the verdict do not see a drift by thirty."""
    rows = compared(1.01, 1.0, rounds=30)
    assert rows["cold"] == ("15.7 s", "15.5 s", "1.010", "1.010 to 1.010", "no", "30")
    assert rows["new prompt"][2:] == ("1.010", "1.010 to 1.010", "no", "30")
    assert rows["decode of cold"][2:] == ("1.010", "1.010 to 1.010", "no", "30")
    assert "encode of cold" not in rows


def test_too_few_rounds_have_no_interval() -> None:
    """Below six rounds there is a ratio but neither an interval nor a verdict."""
    assert compared(1.0, 1.0, rounds=5)["cold"][2:] == ("1.000", "", "", "5")


@pytest.mark.parametrize(
    ("interval", "loss"),
    [((0.97, 1.02), "no"), ((0.99, 1.03), "possible"), ((1.03, 1.09), "yes"), (None, "")],
)
def test_a_loss_is_judged_by_its_interval(interval: tuple[float, float] | None, loss: str) -> None:
    """A loss above 2 % is excluded, possible or certain by the bounds of the interval."""
    assert against.verdict(interval) == loss


def test_bursts_and_plots_take_the_usual_photo() -> None:
    """200 KB is the main size where it is measured, else the first size."""
    assert figures.main_size(["50 KB", "200 KB"]) == "200 KB"
    assert figures.main_size(["12 MP", "50 KB"]) == "12 MP"
