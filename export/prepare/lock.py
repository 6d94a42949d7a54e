"""Let one preparation at a time work below models/. Others wait for it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.prepare.errors import PrepareError
from export.prepare.terminal import say


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds.

    A child that inherits `descriptor` shares the lock. So a child that outlives this process still
    keeps other preparations waiting.
    """

    descriptor: int

    def name_holder(self, pid: int) -> None:
        """Record the process that works now, for the message of those that wait."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(pid).encode(), 0)


@contextmanager
def hold_lock(path: Path) -> Iterator[Lock]:
    """Hold the lock `path` within the block, and say so if another process has it first.

    Raises PrepareError if the file cannot be made or locked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise _failure(path, exc) from exc
    try:
        _acquire(descriptor, path)
        lock = Lock(descriptor)
        lock.name_holder(os.getpid())
        yield lock
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode()
        say(f"another preparation is running (process {holder}); waiting for it ...")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as exc:
        raise _failure(path, exc) from exc


def _failure(path: Path, exc: OSError) -> PrepareError:
    return PrepareError(
        f"{path} can't be locked: {exc.strerror}; make its folder writable, or name another with "
        "MODELS_DIR."
    )
