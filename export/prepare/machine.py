"""What this machine has free: disk and memory."""

import shutil
from pathlib import Path


class Machine:
    """The machine that this process runs on. Paths need not exist yet."""

    def free_disk(self, path: Path) -> int:
        """Return the free bytes of the file system of `path`."""
        return shutil.disk_usage(_existing(path)).free

    def device(self, path: Path) -> int:
        """Return the number of the file system of `path`."""
        return _existing(path).stat().st_dev

    def available_memory(self) -> int | None:
        """Return the bytes that programs can still take without swapping, or None if unknown."""
        return available_memory(Path("/"))


def _existing(path: Path) -> Path:
    """Return `path`, or its nearest parent that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def available_memory(root: Path) -> int | None:
    """Return the smallest of what the kernel says and what the limits of the cgroups leave.

    `root` is the directory that contains proc and sys.
    """
    rooms = [room for group in _cgroups(root) if (room := _room(group)) is not None]
    return min([*_memory_of_kernel(root), *rooms], default=None)


def _memory_of_kernel(root: Path) -> list[int]:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return [int(line.split()[1]) * 1024]
    return []


def _cgroups(root: Path) -> list[Path]:
    """Return the directories of the process's cgroup of version 2 and of its parents."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            group = mount / line.removeprefix("0::").lstrip("/")
            # In a container the path can be the host's. Then only the mount itself exists.
            return [each for each in (group, *group.parents) if each.is_relative_to(mount)]
    return []


def _room(group: Path) -> int | None:
    """Return what the limit of a cgroup leaves, or None where it has none.

    The kernel frees file pages before it refuses memory, so they count as free.
    """
    limit, used = _read(group / "memory.max"), _read(group / "memory.current")
    if not (limit.isdigit() and used.isdigit()):
        return None
    statistics = dict(line.split() for line in _read(group / "memory.stat").splitlines())
    files = int(statistics.get("active_file", 0)) + int(statistics.get("inactive_file", 0))
    return max(0, int(limit) - int(used) + files)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
