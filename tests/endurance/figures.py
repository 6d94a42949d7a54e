"""The figures that the endurance tests measure.

A figure beyond its goal is shown as missed. A figure beyond its bound fails the test: bounds are so
generous that a busy machine keeps them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.tables import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; `unit` is "" for a count.

    `at_most` and `at_least` are goals. `fails_above` and `fails_below` are bounds.
    """

    value: float
    unit: Literal["", "ms", "s", "%", "/s", "MB", "x"] = ""
    at_most: float | None = None
    at_least: float | None = None
    fails_above: float | None = None
    fails_below: float | None = None

    @property
    def fails(self) -> bool:
        return (self.fails_above is not None and self.value > self.fails_above) or (
            self.fails_below is not None and self.value < self.fails_below
        )

    @property
    def missed(self) -> bool:
        return (self.at_most is not None and self.value > self.at_most) or (
            self.at_least is not None and self.value < self.at_least
        )

    def __str__(self) -> str:
        value = f"{self.value:,.0f}" if self.unit == "" else f"{self.value:,.2f} {self.unit}"
        return f"{value} (missed)" if self.missed else value


def p99(seconds: Sequence[float]) -> float:
    """In milliseconds."""
    return float(np.percentile(seconds, 99)) * 1000


def milliseconds(
    seconds: Sequence[float], at_most: float | None = None, *, fails_above: float
) -> Figure | None:
    """The 99th percentile, where there is one."""
    return Figure(p99(seconds), "ms", at_most, fails_above=fails_above) if seconds else None


@dataclass
class Report:
    """Rows of figures by subject: one table each."""

    rows: dict[str, dict[str, Mapping[str, Figure | None]]] = field(default_factory=dict)

    def add(self, subject: str, case: str, figures: Mapping[str, Figure | None]) -> None:
        """Keep the figures of a case. Raises AssertionError for a figure beyond its bound."""
        self.rows.setdefault(subject, {})[case] = figures
        failing = {name: each for name, each in figures.items() if each and each.fails}
        assert not failing, f"{subject}, {case}: beyond its bound: {failing}"

    def tables(self) -> list[Table]:
        return [_table(subject, cases) for subject, cases in self.rows.items()]

    def write(self, directory: Path) -> None:
        """A Markdown and a JSON file for each subject; other subjects' stay."""
        directory.mkdir(parents=True, exist_ok=True)
        for subject, cases in self.rows.items():
            stem = subject.lower().replace(" ", "-")
            (directory / f"{stem}.md").write_text(_table(subject, cases).to_markdown())
            (directory / f"{stem}.json").write_text(json.dumps(_plain(cases), indent=2) + "\n")


def _table(subject: str, cases: Mapping[str, Mapping[str, Figure | None]]) -> Table:
    names = tuple(dict.fromkeys(name for figures in cases.values() for name in figures))
    goals = [_goal([figures.get(name) for figures in cases.values()]) for name in names]
    rows = [
        (case, *("-" if figures.get(name) is None else str(figures[name]) for name in names))
        for case, figures in cases.items()
    ]
    return Table(subject, ("", *names), (("goal", *goals), *rows))


def _goal(figures: Sequence[Figure | None]) -> str:
    for figure in figures:
        if figure and figure.at_most is not None:
            return f"<= {figure.at_most:,g} {figure.unit}".strip()
        if figure and figure.at_least is not None:
            return f">= {figure.at_least:,g} {figure.unit}".strip()
    return ""


def _plain(cases: Mapping[str, Mapping[str, Figure | None]]) -> object:
    return {
        case: {name: figure and asdict(figure) for name, figure in figures.items()}
        for case, figures in cases.items()
    }
