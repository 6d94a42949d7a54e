"""A model directory appears whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import OutputError


def check_output(output: Path) -> None:
    """Raises OutputError if `output` exists or has no directory to lie in."""
    if os.path.lexists(output):
        raise OutputError(f"{output} exists already; remove it or name another OUTPUT.")
    if not output.absolute().parent.is_dir():
        raise OutputError(f"{output} can't be made: {output.absolute().parent} is no directory.")


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """Yield an empty directory beside `output` that takes its name when the block succeeds.

    It lies beside, so that the renaming stays within one file system, and is removed on any error,
    interruption included. Raises OutputError for what the file system refuses within the block.
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
