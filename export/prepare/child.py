"""Run the commands of a preparation so that a signal ends them cleanly."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from export.prepare.errors import Interrupted
from export.prepare.lock import Lock

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn signals within the block into Interrupted."""
    with _handling(_interrupt):
        yield


def run_child(command: Sequence[str], lock: Lock, **environment: str) -> int:
    """Run `command` with its output on stderr and return its exit status.

    The child has a process group of its own, so that Ctrl-C in a terminal reaches it once, through
    this process. The first signal is passed on, and the second kills the group. Raises Interrupted
    after the child has ended.
    """
    received: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if process is not None:
            _signal_group(process, number if len(received) == 1 else signal.SIGKILL)

    with _handling(forward):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            env={**os.environ, **environment},
            process_group=0,
            pass_fds=(lock.descriptor,),
        )
        lock.name_holder(process.pid)
        if received:  # while the child started
            _signal_group(process, received[0])
        status = process.wait()
        lock.name_holder(os.getpid())
    if received:
        raise Interrupted(received[0])
    return status


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@contextmanager
def _handling(handler: Handler) -> Iterator[None]:
    """Handle the interruptions within the block, but not SIGHUP under nohup, which ignores it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = INTERRUPTIONS[:-1] if ignored else INTERRUPTIONS
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)
