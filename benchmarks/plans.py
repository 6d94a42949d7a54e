"""A benchmark as it is about to run, and running it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchmarks.environment import Environment
from benchmarks.progress import Bar, show_bar
from benchmarks.runs import Run
from benchmarks.tables import Table

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Plan(Generic[Row]):
    """`measure` yields rows as they are measured, `total` of them where that is known before."""

    benchmark: str
    model: str
    threads: int
    settings: Mapping[str, str]
    total: int | None
    measure: Callable[[Bar], Generator[Row, None, None]]
    tables: Callable[[Run[Row]], list[Table]]

    def run(self) -> Run[Row]:
        """Measure until the end, or until Ctrl-C: what was measured by then is kept.

        Raises BenchmarkError.
        """
        rows: list[Row] = []
        interrupted = False
        with show_bar(self.benchmark, self.total) as bar:
            try:
                with closing(self.measure(bar)) as measured:
                    for row in measured:
                        rows.append(row)
                        bar.advance()
            except KeyboardInterrupt:
                interrupted = True
        return Run(
            benchmark=self.benchmark,
            model=self.model,
            settings=self.settings,
            environment=Environment.here(self.threads),
            interrupted=interrupted,
            rows=tuple(rows),
        )


def synchronously(rows: AsyncGenerator[Row, None]) -> Generator[Row, None, None]:
    """Drive an asynchronous generator from synchronous code, in an event loop of its own.

    The loop stands still between rows, so nothing measures while one is recorded.
    """

    async def following() -> Row | None:
        return await anext(rows, None)

    async def close() -> None:
        await rows.aclose()

    with asyncio.Runner() as runner:
        try:
            while (row := runner.run(following())) is not None:
                yield row
        finally:
            runner.run(close())
