from benchmarks.load import figures
from tests.benchmarks.recorded import load_run


def test_points_are_rows() -> None:
    """Rate, throughput, goodput, percentiles, hits and failures of each point are shown."""
    rows = {row[0]: row[1:] for row in figures.point_table(load_run()).rows}
    shown = ("10/s", "10/s", "10", "900 ms", "900 ms", "", "900 ms", "900 ms", "90%", "6 of 503")
    assert rows["ours, 16/s"] == shown
    assert rows["tutorial, 16/s"][:2] == ("8/s", "0/s")


def test_the_highest_rate_kept_is_shown_for_each_server() -> None:
    """Refusals and late captions break a rate; a server that kept none has a rate of 0."""
    assert figures.limit_table(load_run()).rows == (("ours", "8/s"), ("tutorial", "0/s"))
