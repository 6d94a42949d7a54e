"""Make the model directory of a hub id: environment, download, export. Killed, it continues."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.prepare.check import check
from export.prepare.child import interruptible
from export.prepare.environment import ExportEnvironment
from export.prepare.errors import UsageError
from export.prepare.exporting import export
from export.prepare.lock import Lock, hold_lock
from export.prepare.machine import Machine
from export.prepare.needs import Folders
from export.prepare.target import Target
from export.prepare.terminal import say

LOCK = ".prepare.lock"


@dataclass(frozen=True, slots=True)
class Preparation:
    """What to export, in which environment, and with which further flags of `python -m export`.

    `force`: go on where disk or memory look short.
    """

    target: Target
    environment: ExportEnvironment
    export_flags: tuple[str, ...]
    force: bool

    def run(self) -> Path:
        """Return the finished model directory. A directory that is finished already is used.

        Raises PrepareError, and Interrupted after a signal.
        """
        if self.target.is_finished():
            return self.target.directory
        with interruptible(), hold_lock(self.target.models / LOCK) as lock:
            # The preparation that this one waited for may have been of the same directory.
            if not self.target.is_finished():
                self._make(lock)
        return self.target.directory

    def _make(self, lock: Lock) -> None:
        # huggingface_hub takes a third of a second to import. Finished directories do without it.
        from export.prepare.hub import cache_directory, checkpoint_size

        target, environment, began = self.target, self.environment, time.perf_counter()
        checkpoint = checkpoint_size(target)
        say(f"{target.hub_id} in {target.precision} -> {target.directory}")
        folders = Folders(environment.directory, cache_directory(), target.models)
        packages = environment.to_install()
        check(checkpoint, packages, target.precision, folders, Machine(), self.force)
        environment.install(lock)
        export(target, environment.python, self.export_flags, lock)
        seconds = time.perf_counter() - began
        say(f"{target.directory} is ready after {seconds:.0f} s; later starts use it")


def export_flags(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Read the variable EXPORT_FLAGS. Raises UsageError."""
    text = variables.get("EXPORT_FLAGS", "")
    try:
        return tuple(shlex.split(text))
    except ValueError as exc:
        raise UsageError(f"EXPORT_FLAGS is {text!r}: {exc}; correct it.") from exc
