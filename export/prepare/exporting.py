"""Run `python -m export` for a target, and say how to go on where it fails."""

import time
from pathlib import Path

from export.prepare.child import run_child
from export.prepare.errors import ExportFailed, PrepareError
from export.prepare.lock import Lock
from export.prepare.target import Target


def export(target: Target, python: Path, flags: tuple[str, ...], lock: Lock) -> None:
    """Export the target with the interpreter `python`. Raises PrepareError."""
    began = time.time()
    status = run_child([str(python), "-m", "export", *_arguments(target), *flags], lock)
    if status < 0:
        raise PrepareError(
            f"the export was ended by signal {-status}, which for 9 is often a lack of memory; "
            "finished stages are kept: run the same command again to continue."
        )
    if status and _is_newer(target.rejected, began):
        retry = (
            'run the same command with EXPORT_FLAGS="--keep-fp32 auto" to keep layers in fp32 '
            "until it passes, without another download, or "
        )
        raise PrepareError(
            f"the export refused {target.precision} and left the candidate in {target.rejected}; "
            f"{'' if 'auto' in flags else retry}run it with --precision fp32."
        )
    if status:
        raise ExportFailed(status)
    if not target.is_finished():
        raise PrepareError(
            f"the export ended without {target.directory}; correct EXPORT_FLAGS "
            f"({' '.join(flags)}) and run the same command again."
        )


def _arguments(target: Target) -> list[str]:
    revision = ["--revision", target.revision] if target.revision else []
    flags = ["--precision", target.precision, "--name", target.name, *revision]
    return [target.hub_id, str(target.directory), *flags]


def _is_newer(directory: Path, began: float) -> bool:
    # File systems store times more coarsely than the clock gives them.
    return directory.is_dir() and directory.stat().st_mtime >= began - 2
