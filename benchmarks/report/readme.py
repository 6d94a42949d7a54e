"""The README's performance section: the figures of a report, between two markers."""

import os
from pathlib import Path

from benchmarks.errors import RecordError
from benchmarks.latency.figures import latency_tables
from benchmarks.pipelines.figures import caption_table, captions_of
from benchmarks.report.contents import Report

BEGIN, END = "<!-- performance -->", "<!-- /performance -->"


def update_readme(readme: Path, report: Report, results: Path) -> None:
    """Replace what stands between the markers. Raises RecordError where they are not."""
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as exc:
        raise RecordError(f"{readme} can't be read: {exc.strerror}") from exc
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise RecordError(f"{readme} has no {BEGIN} ... {END}; mark where figures belong")
    link = Path(os.path.relpath(results, readme.parent)).as_posix()
    body = performance_section(report, link)
    readme.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def performance_section(report: Report, link: str) -> str:
    parts = []
    if report.pipelines and captions_of(report.pipelines):
        longest = max(row.tokens for row in captions_of(report.pipelines))
        parts.append(caption_table(report.pipelines, longest).to_markdown())
        parts.append(f"![pipelines side by side]({link}/pipelines.png)\n")
    if report.latency:
        wanted = [each for each in latency_tables(report.latency) if "200 KB" in each.title]
        parts += [table.to_markdown() for table in wanted]
    runs = report.runs()
    if runs:
        parts.append(f"Measured on {runs[0].environment}. All figures: [{link}]({link}/README.md).")
    return "\n".join(parts)
