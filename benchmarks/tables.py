"""Tables in Markdown, aligned so that a terminal shows them too, and the formats of their cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

PERCENTILES = ("n", "p50", "p90", "p99", "min", "max")


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names the subject of a row, the others hold figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def to_markdown(self) -> str:
        cells = (self.columns, *self.rows)
        first, *others = (max(3, *map(len, column)) for column in zip(*cells, strict=True))
        header, *lines = (
            " | ".join([name.ljust(first), *map(str.rjust, figures, others)])
            for name, *figures in cells
        )
        rule = " | ".join(["-" * first, *("-" * (width - 1) + ":" for width in others)])
        table = "\n".join(f"| {line} |" for line in (header, rule, *lines))
        note = f"\n{self.note}\n" if self.note else ""
        return f"**{self.title}**\n\n{table}\n{note}"


def percentile(values: Sequence[float], rank: int) -> float | None:
    """Interpolate a percentile linearly; None below 100 / (100 - rank) values.

    With fewer values none lies beyond the percentile, and the figure would restate the maximum.
    """
    if len(values) * (100 - rank) < 100:
        return None
    return float(np.percentile(values, rank))


def percentiles(seconds: Sequence[float]) -> tuple[str, ...]:
    """Format the cells of PERCENTILES; empty where the sample does not support them."""
    if not seconds:
        return ("0", *[""] * (len(PERCENTILES) - 1))
    high = (percentile(seconds, 90), percentile(seconds, 99))
    shown = (median(seconds), *high, min(seconds), max(seconds))
    return (str(len(seconds)), *map(duration, shown))


def duration(seconds: float | None) -> str:
    """Format three digits in a suitable unit: 2.40 s, 74.0 ms, 0.240 ms; empty for None."""
    if seconds is None:
        return ""
    value, unit = (seconds, "s") if seconds >= 1 else (seconds * 1000, "ms")
    return f"{value:#.3g}".removesuffix(".") + f" {unit}"


def times(factor: float) -> str:
    return f"{factor:,.0f}x" if factor >= 100 else f"{factor:.3g}x"


def per_second(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 10e6 else f"{size / 1e6:.2g} MB"
