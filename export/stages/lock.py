"""Lock a work directory, so that two exports never write to the same OUTPUT."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from export.errors import OutputError


@contextmanager
def locked(directory: Path, output: Path) -> Iterator[None]:
    """Create `directory` if it is missing, and hold its lock within the block.

    The lock is on the directory itself. The kernel releases it when the process ends, however that
    happens. Raises OutputError, naming `output`, if another process holds it.
    """
    descriptor = _acquire(directory, output)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(directory: Path, output: Path) -> int:
    """Return the open directory. Its lock ends when it is closed."""
    while True:
        directory.mkdir(exist_ok=True)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # An export that ended at this moment has removed it.
            continue
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
            if _is_open(directory, descriptor):
                return descriptor
        except BlockingIOError as exc:
            os.close(descriptor)
            raise OutputError(
                f"another export is writing {output}; wait until it ends, or name another OUTPUT."
            ) from exc
        except BaseException:
            os.close(descriptor)
            raise
        # The directory was removed before the lock was taken, which is then that of nothing.
        os.close(descriptor)


def _is_open(directory: Path, descriptor: int) -> bool:
    """Return whether `descriptor` is what `directory` is now."""
    try:
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
