"""How far an export is, on stderr: live bars on a terminal, else a line for each finished step."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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

Item = TypeVar("Item")


class RateColumn(ProgressColumn):
    """Completed units a second, of steps that have any."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f}/s" if speed and task.total and task.total > 1 else "")


class Steps:
    """The steps of an export, one after the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def step(self, description: str, total: int = 1) -> Iterator[Callable[[], None]]:
        """Show a step for as long as the block runs; call what it yields once per unit done."""
        # Without units there is nothing to measure a rest by: the bar pulses until the end.
        task = self._progress.add_task(description, total=total if total > 1 else None)
        began = time.perf_counter()
        yield lambda: self._progress.advance(task)
        self._progress.update(task, total=total, completed=total)
        if not self._progress.console.is_terminal:
            seconds = time.perf_counter() - began
            self._progress.console.print(f"{description}: {seconds:.1f} s", highlight=False)

    def each(self, description: str, items: Iterable[Item], total: int) -> list[Item]:
        """Collect `items`, a unit each."""
        with self.step(description, total) as advance:
            collected = []
            for item in items:
                collected.append(item)
                advance()
            return collected


@contextmanager
def show_steps() -> Iterator[Steps]:
    console = Console(stderr=True)
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
