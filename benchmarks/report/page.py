"""The report as one Markdown page beside its plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.floor import command as floor
from benchmarks.latency import figures as latency_figures
from benchmarks.load import figures as load_figures
from benchmarks.pipelines import figures as pipeline_figures
from benchmarks.report import plots
from benchmarks.report.contents import Report
from benchmarks.runs import Run
from benchmarks.tables import Table


def write_page(report: Report, directory: Path) -> Path:
    """Write README.md, the name under which code hosts show a folder, and the plots."""
    directory.mkdir(parents=True, exist_ok=True)
    sections = [introduction(report)]
    if report.pipelines and pipeline_figures.captions_of(report.pipelines):
        plots.pipelines(report.pipelines, directory / "pipelines.png")
        tables = pipeline_figures.tables(report.pipelines)
        sections.append(section("Pipelines", tables, "pipelines.png"))
    if report.latency and latency_figures.samples_of(report.latency):
        plots.latency(report.latency, directory / "latency.png")
        plots.phases(report.latency, directory / "phases.png")
        tables = latency_figures.tables(report.latency)
        sections.append(section("Latency", tables, "latency.png", "phases.png"))
    if report.load and load_figures.points_of(report.load):
        plots.load(report.load, directory / "load.png")
        sections.append(section("Load", load_figures.tables(report.load), "load.png"))
    if report.floor:
        sections.append(section("Floor", floor.tables(report.floor)))
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
        "Only ratios within this run mean much: the machine may have been shared. Server and "
        "client, and all pipelines in turn, ran on it together. Every answer was checked against "
        "the caption it must have, and for the source it must have come from.",
        "",
    ]
    return "\n".join(lines)


def models_of(runs: Sequence[Run[Any]]) -> list[str]:
    """Each once, with what some runs say about it beyond its name."""
    models = dict.fromkeys(run.model for run in runs if run.benchmark != "floor")
    return [each for each in models if not any(other.startswith(f"{each};") for other in models)]


def section(title: str, tables: list[Table], *images: str) -> str:
    shown = [f"![{title}: {Path(image).stem}]({image})\n" for image in images]
    return "\n".join([f"## {title}\n", *shown, *(table.to_markdown() for table in tables)])
