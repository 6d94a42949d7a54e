"""The report as one Markdown page beside its plots."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.report import plots
from benchmarks.runs import Report, Run

#: The order of the sections, and the plots, which are written as NAME.png.
SECTIONS = {
    "pipelines": plots.pipelines,
    "latency": plots.latency,
    "load": plots.load,
    "roofline": None,
}

READING = (
    "Compare ratios within this report rather than seconds: the machine may have been shared. "
    "Server and client, and all pipelines in turn, ran on it. Every answer was checked against the "
    "expected caption and the expected cache state. An empty cell means that the sample is too "
    "small for the figure. How to read it: [docs/benchmarks.md](../../../docs/benchmarks.md).\n"
)


def write_page(report: Report, benchmarks: Mapping[str, ModuleType], directory: Path) -> Path:
    """Write the plots and README.md, the name under which code hosts show a folder."""
    directory.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Run[Any]] = {name: run for name in SECTIONS if (run := getattr(report, name))}
    parts = introduction(report.size, list(runs.values()))
    for name, run in runs.items():
        # An interruption before the first caption leaves a run without figures.
        if tables := benchmarks[name].tables(run):
            title = name.capitalize()
            parts.append(f"## {title}\n")
            if plot := SECTIONS[name]:
                plot(run, directory / f"{name}.png")
                parts.append(f"![{title}]({name}.png)\n")
            parts += [table.to_markdown() for table in tables]
    page = directory / "README.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def introduction(size: str, runs: list[Run[Any]]) -> list[str]:
    parts = [f"# Benchmarks, {size}\n"]
    if runs:
        # The label of latency and load also names the precision of our server.
        model = max((run.model for run in runs), key=len)
        parts += [f"Measured with: {model}.\n", f"{runs[0].environment}\n"]
    if cut := [run.benchmark for run in runs if run.interrupted]:
        parts.append(f"Interrupted in {', '.join(cut)}: fewer rounds than usual.\n")
    return [*parts, READING]
