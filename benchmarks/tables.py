"""Tables for the terminal and for Markdown pages, and the formats of their cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import rich.table
from rich.console import Console

from benchmarks.summaries import Summary


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names the subject of a row, the others hold figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        rule = ("---", *["---:"] * (len(self.columns) - 1))
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, rule, *self.rows)]
        note = f"\n{self.note}\n" if self.note else ""
        return f"**{self.title}**\n\n" + "\n".join(lines) + f"\n{note}"


def print_tables(tables: Sequence[Table], console: Console) -> None:
    for table in tables:
        shown = rich.table.Table(title=table.title, caption=table.note or None)
        for index, name in enumerate(table.columns):
            # Figures may wrap in a narrow terminal, names must stay whole.
            shown.add_column(name, justify="right" if index else "left", no_wrap=not index)
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def duration(seconds: float | None) -> str:
    """Format three digits in a suitable unit: 2.40 s, 74.0 ms, 0.240 ms; empty for None."""
    if seconds is None:
        return ""
    value, unit = (seconds, "s") if seconds >= 1 else (seconds * 1000, "ms")
    return f"{value:#.3g}".removesuffix(".") + f" {unit}"


def with_spread(summary: Summary) -> str:
    """Format the median, then the least and the greatest value."""
    if summary.count == 1:
        return duration(summary.p50)
    low, high = duration(summary.min), duration(summary.max)
    return f"{duration(summary.p50)} ({low} to {high})"


def percentiles(summary: Summary | None) -> tuple[str, ...]:
    """Format the cells of PERCENTILES; empty where the sample does not support them."""
    if summary is None:
        return ("0", *[""] * (len(PERCENTILES) - 1))
    shown = (summary.p50, summary.p90, summary.p99, summary.min, summary.max)
    return (str(summary.count), *map(duration, shown))


PERCENTILES = ("n", "p50", "p90", "p99", "min", "max")


def times(factor: float) -> str:
    return f"{factor:,.0f}x" if factor >= 100 else f"{factor:.3g}x"


def per_second(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 10e6 else f"{size / 1e6:.2g} MB"
