"""Work in a process of its own: two runtimes in one process spin against each other's threads."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Call(Protocol):
    """Calls a function in the other process and waits; what it raises is raised here."""

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...


@contextmanager
def process() -> Iterator[Call]:
    """A fresh interpreter, the same one for every call, gone when the block ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_leave_interrupts) as executor:

        def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
            return executor.submit(function, *args, **kwargs).result()

        yield call


def _leave_interrupts() -> None:
    """Ctrl-C goes to the whole group; the parent alone decides what ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def peak_memory() -> int:
    """The most bytes that this process ever had in memory, of itself and not of its parent."""
    return _memory("VmHWM")


def resident_memory() -> int:
    """The bytes that this process has in memory."""
    return _memory("VmRSS")


def _memory(field: str) -> int:
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields[field].split()[0]) * 1024
