"""From recorded figures to the page; needs the bench extra for its plots."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.errors import RecordError
from benchmarks.floor.limits import floor_of
from benchmarks.latency import figures as latency_figures
from benchmarks.pipelines import figures as pipeline_figures
from benchmarks.report.contents import Report
from benchmarks.report.readme import update_readme
from benchmarks.rows import MachineRate
from tests.benchmarks.recorded import ENVIRONMENT, latency_run, pipeline_run, report


def test_the_page_shows_every_part(tmp_path: Path) -> None:
    """Tables and plots of all benchmarks are on one page, with hardware, versions and date."""
    pytest.importorskip("matplotlib")
    from benchmarks.report.page import write_page

    text = write_page(report(), tmp_path).read_text()
    for part in (*ENVIRONMENT.versions, ENVIRONMENT.cpu, ENVIRONMENT.date, "an invented model"):
        assert part in text
    for plot in ("pipelines.png", "latency.png", "phases.png", "load.png"):
        assert f"({plot})" in text
        assert (tmp_path / plot).read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_report_has_what_there_is(tmp_path: Path) -> None:
    """Parts that were not measured are left out, and the page says so."""
    pytest.importorskip("matplotlib")
    from benchmarks.report.page import write_page

    part = Report("quick", latency=replace(latency_run(), interrupted=True))
    text = write_page(part, tmp_path).read_text()
    assert "Interrupted in latency" in text
    assert "## Load" not in text


def test_pipelines_are_compared_within_rounds() -> None:
    """A drift of the machine by three does not change that ours is twice as fast."""
    table = pipeline_figures.caption_table(pipeline_run(), 20)
    ours, tutorial, absent = table.rows
    assert ours[0] == "ours-fp32"
    assert ours[1] == "2.00 s (1.00 s to 3.00 s)"
    assert ours[5] == "2x"
    assert tutorial[5] == "1x"
    assert ours[7] == "20 of 20"
    assert absent[:2] == ("openvino-int8", "absent")
    assert "the package openvino is not installed" in table.note


def test_the_floor_follows_from_work_and_machine() -> None:
    """100 G operations at 200 a second, 20 times 440 MB at 44 GB a second: 0.7 s."""
    floor = floor_of(pipeline_run().rows, "fp32")
    assert floor is not None
    assert floor.caption(20) == pytest.approx(0.7)
    assert pipeline_figures.caption_table(pipeline_run(), 20).rows[0][6] == "2.86x"


def test_attention_is_held_against_fp32() -> None:
    """In int8, 90 of 100 G operations go at 900 a second and attention's 10 at 200."""
    rows = (*pipeline_run().rows, MachineRate(0, "int8 gemm", 900e9))
    floor = floor_of(rows, "int8")
    assert floor is not None
    assert floor.encode == pytest.approx(0.15)


def test_parts_are_multiples_of_their_floors() -> None:
    """Half of 2 s to encode against 0.5 s; a token of 50 ms against 10 ms."""
    ours, _ = pipeline_figures.part_table(pipeline_run(), 20).rows
    assert ours == ("ours-fp32", "1.00 s", "500 ms", "2x", "50.0 ms", "10.0 ms", "5x")


def test_pairs_of_cases_are_compared_within_rounds() -> None:
    """A known picture takes three tenths of a new one in every round; other pairs are left out."""
    (row,) = pipeline_figures.beyond_table(pipeline_run()).rows
    assert row[0] == "new prompt on a known picture"
    assert row[-1] == "0.3x"


def test_latency_is_a_multiple_of_the_route() -> None:
    """A hit is shown as a multiple of the route that only reads, and servers by round."""
    (table,) = latency_figures.latency_tables(latency_run())
    by_name = {row[0]: row for row in table.rows}
    assert by_name["ours, cached"][-1] == "2x"
    assert by_name["tutorial, cached"][-1] == "6x"
    ratios = {row[0]: row[1] for row in latency_figures.speed_up_table(latency_run()).rows}
    assert ratios["200 KB: ours, cold / cached"] == "500x"
    assert ratios["200 KB: tutorial / ours, cold"] == "3x"


def test_what_is_captioned_is_a_multiple_of_what_a_caption_takes() -> None:
    """2 s are 4.98 times the route's 2 ms and a caption's 0.4 s; unknown captions have no floor."""
    (table,) = latency_figures.latency_tables(latency_run())
    multiples = {row[0]: row[-1] for row in table.rows}
    assert multiples["ours, cold"] == multiples["ours, new prompt"] == "4.98x"
    assert multiples["tutorial, cold"] == "-"
    assert "ours (fp32): 400 ms, of which 300 ms to encode and 10 tokens of 10.0 ms" in table.note


def test_figures_from_before_there_were_caption_floors_are_shown() -> None:
    """A record without floors of captions gives its tables, with a dash for them."""
    run = latency_run()
    samples = latency_figures.samples_of(run)
    (table,) = latency_figures.latency_tables(replace(run, rows=tuple(samples)))
    multiples = {row[0]: row[-1] for row in table.rows}
    assert (multiples["ours, cold"], multiples["ours, cached"]) == ("-", "2x")
    assert "not measured" in table.note


def test_an_interruption_before_the_first_figure_leaves_a_page(tmp_path: Path) -> None:
    """Parts of which only floors were measured have no section."""
    pytest.importorskip("matplotlib")
    from benchmarks.report.page import write_page

    full = report()
    assert full.latency
    assert full.load
    assert full.pipelines
    part = Report(
        "quick",
        latency=replace(full.latency, rows=full.latency.rows[:1]),
        load=replace(full.load, rows=full.load.rows[:1]),
        pipelines=replace(full.pipelines, rows=full.pipelines.rows[:2]),
    )
    assert "## " not in write_page(part, tmp_path).read_text()


def test_the_readme_gets_the_figures_between_its_markers(tmp_path: Path) -> None:
    """What stands around the markers stays, what stands between them is replaced."""
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- performance -->\nobsolete\n<!-- /performance -->\nafter\n")
    update_readme(readme, report(), tmp_path / "benchmarks" / "results" / "quick")
    text = readme.read_text()
    assert text.startswith("before\n<!-- performance -->\n")
    assert text.endswith("\n<!-- /performance -->\nafter\n")
    assert "obsolete" not in text
    assert "| ours-fp32 | 2.00 s" in text
    assert "benchmarks/results/quick/README.md" in text
    assert ENVIRONMENT.date in text


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    """Nothing is written where nobody marked a place for it."""
    readme = tmp_path / "README.md"
    readme.write_text("text")
    with pytest.raises(RecordError, match="has no <!-- performance -->"):
        update_readme(readme, report(), tmp_path)
    assert readme.read_text() == "text"
