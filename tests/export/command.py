"""python -m export in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# A port that nothing listens on, for a hub that can't be reached.
UNREACHABLE = "http://127.0.0.1:9"


def environment(home: Path, hub: str = UNREACHABLE) -> dict[str, str]:
    """Of a machine whose hub is `hub` and whose hub cache, in `home`, is empty."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**kept, "HF_ENDPOINT": hub, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "export", *map(str, arguments)]


def find(source: str, revision: str | None = None) -> list[str]:
    """Return a command that does no more than find, or download, the source."""
    call = f"find_source({source!r}, {revision!r})"
    return [sys.executable, "-c", f"from export.sources import find_source; {call}"]


def export(
    *arguments: str | Path, home: Path, hub: str = UNREACHABLE
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(home, hub),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
