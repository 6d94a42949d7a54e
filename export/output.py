"""Create the model directory atomically: complete, or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import OutputError


def check_output(output: Path) -> None:
    """Check that `output` can be created. Raises OutputError if it exists or has no parent."""
    if os.path.lexists(output):
        raise OutputError(f"{output} exists already; remove it or name another OUTPUT.")
    parent = output.absolute().parent
    if not parent.is_dir():
        raise OutputError(
            f"{output} can't be made: {parent} is not a directory; make it or name another OUTPUT."
        )


@contextmanager
def atomic_directory(output: Path) -> Iterator[Path]:
    """Yield an empty temporary directory and rename it to `output` when the block succeeds.

    The temporary directory is a sibling of `output`, so that the rename stays within one file
    system. Any exception, an interruption included, removes it. Raises OutputError for an OSError
    within the block.
    """
    output = output.absolute()
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    try:
        partial.mkdir()
        yield partial
        check_output(output)
        partial.rename(output)
    except OSError as exc:
        raise OutputError(
            f"{output} can't be written: {exc.strerror or exc}; free or change the disk and "
            "export again."
        ) from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)
