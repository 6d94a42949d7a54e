"""The README's table: four figures of a report, between two markers."""

import os
from pathlib import Path
from statistics import median

from benchmarks.errors import Unavailable
from benchmarks.latency.figures import by_round, main_size, servers, sizes
from benchmarks.report.contents import Report
from benchmarks.rows import Kind, LatencyRow
from benchmarks.runs import Run
from benchmarks.summaries import ratios_by_round
from benchmarks.tables import Table, duration, times

BEGIN, END = "<!-- performance -->", "<!-- /performance -->"
ROWS: dict[Kind, str] = {
    "cold": "a new picture",
    "new prompt": "a new prompt on a known picture",
    "cached": "a cached caption",
    "8 at once": "8 new pictures at once, each",
}


def update_readme(readme: Path, report: Report, results: Path) -> None:
    """Replace the text between the markers.

    Raises Unavailable without markers, or without a report that has both servers' latencies.
    """
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as exc:
        raise Unavailable(f"{readme} can't be read: {exc.strerror}") from exc
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise Unavailable(f"{readme} has no {BEGIN} ... {END}; mark the place of the table")
    if not report.latency or {"ours", "tutorial"} - set(servers(report.latency)):
        raise Unavailable("the report lacks the latencies of both servers, so there is no table")
    link = Path(os.path.relpath(results, readme.parent)).as_posix()
    body = performance_section(report.latency, link)
    readme.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def performance_section(run: Run[LatencyRow], link: str) -> str:
    """Render four rows: a caption's median latency from both servers, and their ratio."""
    size = main_size(sizes(run))
    rows = []
    for kind, label in ROWS.items():
        ours, tutorial = (by_round(run, server, size, kind) for server in ("ours", "tutorial"))
        if ratios := ratios_by_round(tutorial, ours):
            medians = (duration(median(each.values())) for each in (ours, tutorial))
            rows.append((label, *medians, times(median(ratios))))
    table = Table(
        "Time to a caption",
        ("", f"this server, {run.model.rpartition(' in ')[2]}", "the tutorial's server", "ratio"),
        tuple(rows),
        f"Medians over uploads of {size}; {run.model}; {run.environment.cores} cores of "
        f"{run.environment.cpu}. Conditions and all figures: [{link}]({link}/README.md).",
    )
    return table.to_markdown()
