"""From recorded figures to the page and its plots."""

from dataclasses import replace
from pathlib import Path

from benchmarks.report.command import BENCHMARKS
from benchmarks.report.page import write_page
from benchmarks.runs import Report
from tests.benchmarks.recorded import ENVIRONMENT, latency_run, report


def test_the_page_shows_every_part(tmp_path: Path) -> None:
    """Tables and plots of all benchmarks are on one page, with hardware, versions and date."""
    text = write_page(report(), BENCHMARKS, tmp_path).read_text()
    for part in (*ENVIRONMENT.versions, ENVIRONMENT.cpu, ENVIRONMENT.date, "an invented model"):
        assert part in text
    for title in ("Pipelines", "Latency", "Load", "Roofline"):
        assert f"## {title}\n" in text
    for plot in ("pipelines.png", "latency.png", "load.png"):
        assert f"({plot})" in text
        assert (tmp_path / plot).read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_report_has_its_finished_parts(tmp_path: Path) -> None:
    """Parts that were not measured are left out, and the page names the interrupted one."""
    part = Report("quick", latency=replace(latency_run(), interrupted=True))
    text = write_page(part, BENCHMARKS, tmp_path).read_text()
    assert "Interrupted in latency" in text
    assert "## Latency" in text
    assert "## Load" not in text


def test_an_interruption_before_the_first_caption_leaves_a_page(tmp_path: Path) -> None:
    """Parts without a caption have no section."""
    full = report()
    assert full.latency
    assert full.pipelines
    part = Report(
        "quick",
        latency=replace(full.latency, rows=full.latency.rows[-1:]),
        pipelines=replace(full.pipelines, rows=full.pipelines.rows[:2]),
    )
    assert "## " not in write_page(part, BENCHMARKS, tmp_path).read_text()
