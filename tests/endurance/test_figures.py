import pytest

from tests.endurance.figures import Figure, Report


def test_a_figure_beyond_its_goal_is_shown() -> None:
    """A figure beyond its goal is kept and shown as missed."""
    report = Report()
    report.add("Load", "case", {"p99": Figure(30, "ms", at_most=20, fails_above=2000)})
    (table,) = report.tables()
    assert "30.00 ms (missed)" in table.to_markdown()


@pytest.mark.parametrize(
    "figure", [Figure(2001, "ms", at_most=20, fails_above=2000), Figure(9, "%", fails_below=10)]
)
def test_a_figure_beyond_its_bound_fails(figure: Figure) -> None:
    """A figure beyond its bound fails the test and is kept."""
    report = Report()
    with pytest.raises(AssertionError, match=r"Load, case: beyond its bound: \{'name'"):
        report.add("Load", "case", {"sound": Figure(1), "absent": None, "name": figure})
    assert report.rows["Load"]["case"]["name"] == figure
