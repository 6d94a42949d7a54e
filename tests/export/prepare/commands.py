"""The commands of a preparation as processes, which write to a folder of their own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.export.command import ROOT, UNREACHABLE, environment

HUB_ID = "someone/blip"
DEADLINE = 100.0  # seconds until a process is killed

STUB = """\
#!/bin/sh
# Called as: python -m export SOURCE OUTPUT ...
shift 2
exec "{python}" -m tests.export.prepare.stub_export "$@"
"""


@dataclass(frozen=True)
class Workplace:
    """Variables for the commands: models, hub cache and export environment in a folder."""

    home: Path
    hub: str = UNREACHABLE
    more: dict[str, str] = field(default_factory=dict)

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def variables(self) -> dict[str, str]:
        return {
            **environment(self.home / "hub", self.hub),
            "MODELS_DIR": str(self.models),
            "VENV_EXPORT": str(self.home / "venv"),
            **self.more,
        }

    def install_stub(self) -> None:
        """Make an environment whose `python -m export` is the stub."""
        python = self.home / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(STUB.format(python=sys.executable))
        python.chmod(0o755)

    def run(self, *arguments: str, module: str = "export.prepare") -> "Ended":
        with self.start(*arguments, module=module) as process:
            return process.end()

    @contextmanager
    def start(self, *arguments: str, module: str = "export.prepare") -> Iterator["Running"]:
        """Start a command, and end it and its export with the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        give_up = threading.Timer(DEADLINE, self.kill, (process,))
        give_up.start()
        try:
            yield Running(process)
        finally:
            give_up.cancel()
            self.kill(process)
            process.communicate()

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill a command, and its child, whose process id is in the lock."""
        process.kill()
        with suppress(OSError, ValueError):
            os.kill(int((self.models / ".prepare.lock").read_text()), signal.SIGKILL)


@dataclass(frozen=True)
class Ended:
    status: int
    stdout: str
    stderr: list[str]


@dataclass
class Running:
    """A command, and the lines of its stderr that were read so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def line_with(self, words: str) -> str:
        """Read stderr up to the next line with these words, and return it."""
        assert self.process.stderr is not None
        for line in iter(self.process.stderr.readline, ""):
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return self.lines[-1]
        raise AssertionError(f"no line with {words!r} in {self.lines}")

    def export(self) -> int:
        """Wait for the stub to run and return its process id."""
        found = re.search(r"process (\d+)", self.line_with("stub: process"))
        assert found
        return int(found[1])

    def end(self) -> Ended:
        """Wait for the command to end and return all that it printed."""
        stdout, stderr = self.process.communicate()
        return Ended(self.process.returncode, stdout, [*self.lines, *stderr.splitlines()])


def open_gate(gate: Path) -> None:
    """Let the stub that waits at the pipe go on, or will wait there."""
    os.close(os.open(gate, os.O_WRONLY))
