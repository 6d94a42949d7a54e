"""Run functions in a process of their own.

Two runtimes in one process would wait for each other's spinning threads.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Call(Protocol):
    """Calls a function in the other process, waits, and raises its exceptions here."""

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...


@contextmanager
def process() -> Iterator[Call]:
    """Start a fresh interpreter that serves all calls and ends with the block."""
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches the whole process group, but the parent ends its workers.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(1, context, signal.signal, ignore) as executor:

        def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
            return executor.submit(function, *args, **kwargs).result()

        yield call


def peak_memory(pid: int | str = "self") -> int:
    """Return the greatest resident memory that a process had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmHWM"].split()[0]) * 1024
