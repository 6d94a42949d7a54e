"""Single-flight: at most one execution per key at a time; equal requests share its outcome."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Execution(Generic[T]):
    task: asyncio.Task[T]
    callers: int = 0


class SingleFlight(Generic[T]):
    """Executions by key. Each belongs to all its callers and is cancelled when the last one leaves.

    An error reaches every present caller and no later one.
    """

    def __init__(self) -> None:
        self._executions: dict[str, _Execution[T]] = {}

    @property
    def callers(self) -> int:
        """How many callers wait for an execution."""
        return sum(execution.callers for execution in self._executions.values())

    async def do(self, key: str, start: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """Join the execution of `key`, or start it.

        Returns its outcome, and whether this call joined an execution in progress. Raises the error
        of the execution.
        """
        execution = self._executions.get(key)
        joined = execution is not None
        if execution is None:
            execution = self._executions[key] = _Execution(asyncio.create_task(start()))
            execution.task.add_done_callback(lambda task: self._remove(key, task))
        execution.callers += 1
        try:
            return await asyncio.shield(execution.task), joined
        finally:
            execution.callers -= 1
            if execution.callers == 0 and not execution.task.done():
                execution.task.cancel()
                self._remove(key, execution.task)

    def _remove(self, key: str, task: asyncio.Task[T]) -> None:
        # A cancelled execution is removed at once, so that a new caller starts another one.
        if key in self._executions and self._executions[key].task is task:
            del self._executions[key]
        if task.done() and not task.cancelled():
            task.exception()  # Marks the error as retrieved, if the last caller has just left.
