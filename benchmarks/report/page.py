"""The report as one Markdown page beside its plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency import command as latency
from benchmarks.latency.figures import samples_of
from benchmarks.load import command as load
from benchmarks.pipelines import command as pipelines
from benchmarks.pipelines.figures import captions_of
from benchmarks.report import plots
from benchmarks.report.contents import Report
from benchmarks.roofline import command as roofline
from benchmarks.runs import Run
from benchmarks.tables import Table


def write_page(report: Report, directory: Path) -> Path:
    """Write the plots and README.md, the name under which code hosts show a folder."""
    directory.mkdir(parents=True, exist_ok=True)
    sections = [introduction(report)]
    if report.pipelines and captions_of(report.pipelines):
        plots.pipelines(report.pipelines, directory / "pipelines.png")
        sections.append(section("Pipelines", pipelines.tables(report.pipelines), "pipelines.png"))
    if report.latency and samples_of(report.latency):
        plots.latency(report.latency, directory / "latency.png")
        sections.append(section("Latency", latency.tables(report.latency), "latency.png"))
    if report.load:
        plots.load(report.load, directory / "load.png")
        sections.append(section("Load", load.tables(report.load), "load.png"))
    if report.roofline:
        sections.append(section("Roofline", roofline.tables(report.roofline)))
    page = directory / "README.md"
    page.write_text("\n".join(sections), encoding="utf-8")
    return page


def introduction(report: Report) -> str:
    runs = report.runs()
    lines = [f"# Benchmarks, {report.size}", ""]
    if runs:
        lines += [f"Measured with: {'; '.join(models_of(runs))}.", "", f"{runs[0].environment}", ""]
    cut = [run.benchmark for run in runs if run.interrupted]
    if cut:
        lines += [f"Interrupted in {', '.join(cut)}: fewer rounds than usual.", ""]
    lines += [
        "Compare ratios within this report rather than seconds: the machine may have been shared. "
        "Server and client, and all pipelines in turn, ran on it. Every answer was checked against "
        "the expected caption and the expected cache state. An empty cell means that the sample is "
        "too small for the figure. How to read it: "
        "[docs/benchmarks.md](../../../docs/benchmarks.md).",
        "",
    ]
    return "\n".join(lines)


def models_of(runs: Sequence[Run[Any]]) -> list[str]:
    """Return each model once, by the most detailed of its labels."""
    models = dict.fromkeys(run.model for run in runs)
    return [each for each in models if not any(other.startswith(f"{each};") for other in models)]


def section(title: str, tables: list[Table], image: str = "") -> str:
    shown = [f"![{title}]({image})\n"] if image else []
    return "\n".join([f"## {title}\n", *shown, *(table.to_markdown() for table in tables)])
