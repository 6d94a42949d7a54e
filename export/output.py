"""Check OUTPUT, and move a finished candidate there or, if it is refused, beside it."""

import os
import shutil
from pathlib import Path

from export.errors import OutputError
from server.captioning.model.directory import MANIFEST, REJECTED_MANIFEST


def check_output(output: Path) -> None:
    """Check that `output` can be created. Raises OutputError if it exists or has no parent."""
    if os.path.lexists(output):
        raise OutputError(f"{output} exists already; remove it or name another OUTPUT.")
    parent = output.absolute().parent
    if not parent.is_dir():
        raise OutputError(
            f"{output} can't be made: {parent} is not a directory; make it or name another OUTPUT."
        )
    rejected = rejected_path(output)
    if os.path.lexists(rejected) and not (rejected / REJECTED_MANIFEST).is_file():
        raise OutputError(
            f"{rejected} is needed for a refused export and has other contents; "
            "move it or name another OUTPUT."
        )


def rejected_path(output: Path) -> Path:
    """Return where a refused candidate for `output` goes."""
    return output.with_name(f"{output.name}.rejected")


def publish(candidate: Path, output: Path) -> None:
    """Move a verified candidate to `output`. Remove what earlier refusals left beside it."""
    check_output(output)
    candidate.rename(output)
    shutil.rmtree(rejected_path(output), ignore_errors=True)


def reject(candidate: Path, output: Path) -> Path:
    """Move a refused candidate beside `output`, in place of an earlier one. Return its path.

    Its manifest gets a name that the server does not read, so that nothing serves it by accident.
    """
    rejected = rejected_path(output)
    shutil.rmtree(rejected, ignore_errors=True)
    (candidate / MANIFEST).rename(candidate / REJECTED_MANIFEST)
    return candidate.rename(rejected)
