"""Progress of an export on stderr: live bars on a terminal, start and finish lines elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from export.terminal.memory import peak_memory

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step that has ended, its seconds, and the peak memory up to its end, in bytes."""

    description: str
    seconds: float
    peak_memory: int


class RateColumn(ProgressColumn):
    """Show completed units per second for steps that count units."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f}/s" if speed and task.total and task.total > 1 else "")


class Steps:
    """Report the steps of an export, one after the other, and record what each took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.records: list[StepRecord] = []

    def announce(self, line: str) -> None:
        """Print one line. On a terminal it appears above the bars."""
        print_line(self._progress.console, line)

    @contextmanager
    def step(
        self, description: str, total: int = 1, unit: str = "units"
    ) -> Iterator[Callable[[], None]]:
        """Report a step while the block runs. Call the yielded function once per finished unit."""
        terminal = self._progress.console.is_terminal
        if not terminal:
            self.announce(
                f"{description}: {total} {unit} ..." if total > 1 else f"{description} ..."
            )
        # A step without units has no measurable remainder, so its bar pulses until the end.
        task = self._progress.add_task(description, total=total if total > 1 else None)
        began = time.perf_counter()
        yield lambda: self._progress.advance(task)
        self._progress.update(task, total=total, completed=total)
        seconds = time.perf_counter() - began
        self.records.append(StepRecord(description, seconds, peak_memory()))
        if not terminal:
            rate = f", {total / seconds:.2f} {unit}/s" if total > 1 else ""
            self.announce(f"{description}: done in {seconds:.1f} s{rate}")

    def each(self, description: str, items: Iterable[Item], total: int, unit: str) -> list[Item]:
        """Collect `items` in a step that counts each of them as one unit."""
        with self.step(description, total, unit) as advance:
            collected = []
            for item in items:
                collected.append(item)
                advance()
            return collected


@contextmanager
def show_steps(console: Console | None = None) -> Iterator[Steps]:
    """Yield the reporter of an export's steps. It writes to stderr unless `console` is given."""
    console = console or Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Steps(progress)


def print_line(console: Console, line: str) -> None:
    """Print `line` unwrapped and as it is, so that a log can be searched for it."""
    console.print(line, soft_wrap=True, markup=False, highlight=False)
