"""The README's table: four figures of a report, between two markers."""

import os
import re
from pathlib import Path
from statistics import median

from benchmarks.errors import Unavailable
from benchmarks.latency.figures import by_round, groups_of, main_size
from benchmarks.rounds import ratios_by_round
from benchmarks.rows import Kind, LatencyRow
from benchmarks.runs import Report, Run
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
    place = re.search(f"{BEGIN}.*{END}", text, re.DOTALL)
    if not place:
        raise Unavailable(f"{readme} has no {BEGIN} ... {END}; mark the place of the table")
    link = Path(os.path.relpath(results, readme.parent)).as_posix()
    table = performance_table(report.latency, link) if report.latency else None
    if table is None or not table.rows:
        raise Unavailable("the report lacks the latencies of both servers, so there is no table")
    section = f"{BEGIN}\n{table.to_markdown()}\n{END}"
    readme.write_text(text[: place.start()] + section + text[place.end() :], encoding="utf-8")


def performance_table(run: Run[LatencyRow], link: str) -> Table:
    """Make four rows: a caption's median latency from both servers, and their ratio."""
    groups = groups_of(run)
    size = main_size(size for size, _, _ in groups)
    rows = []
    for kind, label in ROWS.items():
        ours, tutorial = (
            by_round(groups.get((size, server, kind), [])) for server in ("ours", "tutorial")
        )
        if ratios := ratios_by_round(tutorial, ours):
            medians = (duration(median(each.values())) for each in (ours, tutorial))
            rows.append((label, *medians, times(median(ratios))))
    return Table(
        "Time to a caption",
        ("", f"this server, {run.model.rpartition(' in ')[2]}", "the tutorial's server", "ratio"),
        tuple(rows),
        f"Medians over uploads of {size}; {run.model}; {run.environment.cores} cores of "
        f"{run.environment.cpu}. Conditions and all figures: [{link}]({link}/README.md).",
    )
