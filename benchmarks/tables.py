"""One kind of table, for the terminal and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import rich.table
from rich.console import Console

from benchmarks.summaries import Summary


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names what a row is about, the others hold numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        lines = [
            _markdown_row(self.columns),
            _markdown_row(["---", *["---:"] * (len(self.columns) - 1)]),
            *(_markdown_row(row) for row in self.rows),
        ]
        note = f"\n{self.note}\n" if self.note else ""
        return f"**{self.title}**\n\n" + "\n".join(lines) + f"\n{note}"


def print_tables(tables: Sequence[Table], console: Console) -> None:
    for table in tables:
        shown = rich.table.Table(title=table.title, caption=table.note or None)
        for index, name in enumerate(table.columns):
            # A narrow terminal may wrap numbers; a name cut short names nothing.
            shown.add_column(name, justify="right" if index else "left", no_wrap=not index)
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def duration(seconds: float) -> str:
    """Three digits in the unit that suits: 2.40 s, 74.0 ms, 0.240 ms."""
    if seconds >= 1:
        return f"{seconds:#.3g} s"
    return f"{seconds * 1000:#.3g} ms".replace(". ", " ")


def with_spread(summary: Summary) -> str:
    """The median, and between which values all measurements lie."""
    if summary.count == 1:
        return duration(summary.p50)
    return f"{duration(summary.p50)} ({_short(summary.min)} to {_short(summary.max)})"


def times(factor: float) -> str:
    return f"{factor:,.0f}x" if factor >= 100 else f"{factor:.3g}x"


def a_second(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 10e6 else f"{size / 1e6:.2g} MB"


def _short(seconds: float) -> str:
    return duration(seconds).rsplit(" ", 1)[0] if seconds < 1 else duration(seconds)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
