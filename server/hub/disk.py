"""Check before a download that it fits on the disk."""

import shutil
from pathlib import Path

from server.hub.errors import HubError
from server.hub.progress import size
from server.hub.snapshot import Snapshot


def check_space(snapshot: Snapshot) -> None:
    """Compare what is still to download with the free space. Raises HubError if it does not fit."""
    total = snapshot.total()
    if total is None:
        return
    needed, free = total - snapshot.arrived(), free_space(snapshot.cache)
    if needed > free:
        raise HubError(
            f"{snapshot.repository} needs {size(needed)} in {snapshot.cache}, where {size(free)} "
            "are free; free some, or choose another directory for the cache (HF_HOME)."
        )


def free_space(directory: Path) -> int:
    """Return the free bytes of the disk on which `directory` is or will be."""
    existing = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    return shutil.disk_usage(existing).free
