from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.errors import Unavailable
from benchmarks.report.readme import update_readme
from tests.benchmarks.recorded import latency_run, report

MARKED = "before\n<!-- performance -->\nobsolete\n<!-- /performance -->\nafter\n"


def test_the_readme_gets_a_row_for_each_kind(tmp_path: Path) -> None:
    """Five rows of three figures stand between the markers, and the text around them stays."""
    readme = tmp_path / "README.md"
    readme.write_text(MARKED)
    update_readme(readme, report(), tmp_path / "benchmarks" / "results" / "quick")
    text = readme.read_text()
    assert text.startswith("before\n<!-- performance -->\n")
    assert text.endswith("\n<!-- /performance -->\nafter\n")
    assert "obsolete" not in text
    table = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in cells] for cells in table)
    assert header == ["", "this server", "the tutorial's server", "ratio"]
    assert rows == [
        ["a new picture", "2.00 s", "6.00 s", "3x (3x to 3x)"],
        ["a new prompt on a known picture", "1.00 s", "3.00 s", "3x (3x to 3x)"],
        ["a cached caption", "4.00 ms", "12.0 ms", "3x (3x to 3x)"],
        ["a cached caption without the upload, by digest", "2.00 ms", "12.0 ms", "6x (6x to 6x)"],
        ["8 new pictures at once, each", "1.60 s", "4.80 s", "3x (3x to 3x)"],
    ]
    assert "(benchmarks/results/quick/README.md)" in text
    assert "2 cores of a CPU (avx2)" in text


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    """A README without a marked place is left as it is."""
    readme = tmp_path / "README.md"
    readme.write_text("text")
    with pytest.raises(Unavailable, match="has no <!-- performance -->"):
        update_readme(readme, report(), tmp_path)
    assert readme.read_text() == "text"


def test_a_report_without_the_tutorial_is_refused(tmp_path: Path) -> None:
    """A table of ratios needs both servers, so the README keeps its figures."""
    readme = tmp_path / "README.md"
    readme.write_text(MARKED)
    alone = replace(report(), latency=latency_run({"ours": 1.0}))
    with pytest.raises(Unavailable, match="lacks the latencies of both servers"):
        update_readme(readme, alone, tmp_path)
    assert readme.read_text() == MARKED
