"""The Python environment of the export: torch and transformers, apart from the lean server's."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.prepare.child import run_child
from export.prepare.errors import PrepareError
from export.prepare.lock import Lock
from export.prepare.needs import PRESENT, EnvironmentSize, environment_to_install
from export.prepare.terminal import say

ROOT = Path(__file__).parents[2]
NAME = ".venv-export"


@dataclass(frozen=True, slots=True)
class ExportEnvironment:
    """The environment `directory`. `is_given` means that it is used as it is."""

    directory: Path
    is_given: bool
    index: str | None

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "ExportEnvironment":
        """Choose the environment that VENV_EXPORT names, or .venv-export of this checkout."""
        given = variables.get("VENV_EXPORT")
        return cls(Path(given or ROOT / NAME), bool(given), variables.get("TORCH_INDEX"))

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    def to_install(self) -> EnvironmentSize:
        """Return the size of what is not installed yet."""
        is_there = self.is_given or (self.directory / "installed-export").exists()
        return PRESENT if is_there else environment_to_install(self.index)

    def install(self, lock: Lock) -> None:
        """Install what the export needs, unless that is done. Raises PrepareError."""
        if self.is_given:
            if not os.access(self.python, os.X_OK):
                raise PrepareError(
                    f"VENV_EXPORT is {self.directory}, which has no bin/python; correct it, or "
                    f"leave it out to use {NAME}."
                )
            return
        began = time.perf_counter()
        is_new = self.to_install() != PRESENT
        if is_new:
            say(f"export environment: installing torch and transformers into {NAME} ...")
        command = [str(ROOT / "scripts" / "install"), "export"]
        if status := run_child(command, lock, VENV=NAME):
            raise PrepareError(
                f"{NAME} can't be installed (scripts/install export: exit status {status}, its "
                "messages are above); mend that and run the same command again to continue."
            )
        if is_new:
            say(f"export environment: done in {time.perf_counter() - began:.0f} s")
