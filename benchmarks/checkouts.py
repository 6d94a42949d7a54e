"""Checkouts of this project, and the model directories that their export code writes."""

import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks.errors import Unavailable

ROOT = Path(__file__).parents[1]
#: The code that decides what an export writes: its graphs and its manifest.
EXPORT_CODE = ("export/**/*.py", "server/captioning/**/manifest.py")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A directory with this project's code, run by the interpreter of this process."""

    path: Path = ROOT

    @classmethod
    def open(cls, path: Path) -> "Checkout":
        """Raises Unavailable for a directory without the two packages that are run."""
        for package in ("server", "export"):
            if not (path / package / "__main__.py").is_file():
                raise Unavailable(
                    f"{path} is not a checkout of this project: it lacks {package}; make one with "
                    "`git worktree add DIR COMMIT`"
                )
        return cls(path.resolve())

    def commit(self) -> str:
        """Return the abbreviated commit, with "-dirty" for changed files; "unknown" without git."""
        command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        found = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=False)
        return found.stdout.strip() or "unknown"

    def export(self, checkpoint: Path, home: Path, precision: str) -> Path:
        """Export a checkpoint with this code into `home`, unless it is done; return the directory.

        The directory's name holds a digest of the export code and of the checkpoint's file sizes
        and times, so an export by other code or of other weights is never taken for this one.
        Raises Unavailable.
        """
        directory = home / f"{precision}-{self._digest(checkpoint)[:12]}"
        if directory.is_dir():
            return directory
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "export", str(checkpoint.resolve()), str(directory)]
        # Captions are verified on one picture: at base geometry each takes seconds.
        options = [f"--precision={precision}", f"--name={home.name}", "--pictures=1"]
        if precision == "int8":
            # The best tokens of random weights are all but ties, which int8 may tip.
            options.append("--min-agreement=0")
        if subprocess.run([*command, *options], cwd=self.path, check=False).returncode:
            raise Unavailable(
                f"commit {self.commit()} does not export {home.name} as {precision}; its message "
                "is above"
            )
        return directory

    def _digest(self, checkpoint: Path) -> str:
        digest = sha256()
        for pattern in EXPORT_CODE:
            for file in sorted(self.path.glob(pattern)):
                digest.update(f"{file.relative_to(self.path)}\0".encode() + file.read_bytes())
        for file in sorted(checkpoint.iterdir()):
            stat = file.stat()
            digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        return digest.hexdigest()
