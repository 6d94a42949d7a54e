"""How far a benchmark is, on stderr; a line now and then where that is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bar:
    """One bar, a unit for each row measured."""

    def __init__(self, progress: Progress, name: str, total: int | None) -> None:
        self._progress = progress
        self._name = name
        self._task = progress.add_task(name, total=total)

    def say(self, doing: str) -> None:
        """Show what goes on where no row is measured: a model loads, a server starts."""
        self._progress.update(self._task, description=f"{self._name}: {doing}")
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"{self._name}: {doing}", highlight=False)

    def advance(self) -> None:
        self._progress.advance(self._task)


@contextmanager
def show_bar(name: str, total: int | None) -> Iterator[Bar]:
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bar(progress, name, total)
