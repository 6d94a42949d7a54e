"""The README's table: a comparison of a report, between two markers."""

import os
import re
from pathlib import Path

from benchmarks.errors import Unavailable
from benchmarks.latency.figures import SERVERS, comparison_table, groups_of, main_size
from benchmarks.runs import Report

BEGIN, END = "<!-- performance -->", "<!-- /performance -->"


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
    groups = groups_of(report.latency) if report.latency else {}
    if not report.latency or not SERVERS.keys() <= {server for _, server, _ in groups}:
        raise Unavailable("the report lacks the latencies of both servers, so there is no table")
    table = comparison_table(report.latency, main_size(size for size, _, _ in groups))
    environment = report.latency.environment
    link = Path(os.path.relpath(results, readme.parent)).as_posix()
    section = (
        f"{BEGIN}\n{table.to_markdown()}\n{environment.cores} cores of {environment.cpu}. "
        f"Conditions and all figures: [{link}]({link}/README.md).\n{END}"
    )
    readme.write_text(text[: place.start()] + section + text[place.end() :], encoding="utf-8")
