"""Count the CPUs that this process may use."""

import os
from pathlib import Path


def available_threads(root: Path = Path("/")) -> int:
    """Return the smaller of the CPUs in the affinity mask and the CPUs in the cgroup's quota.

    The quota is rounded down, to 1 at least: with one thread too many the system throttles all of
    them in the middle of a step. `root` is the directory that contains proc and sys.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [quota for directory in _cgroups(root) if (quota := _quota(directory)) is not None]
    return max(1, int(min([float(allowed or 1), *quotas])))


def _cgroups(root: Path) -> list[Path]:
    """Return the directories of the process's CPU cgroup and its parents, of version 1 or 2."""
    directories = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        group = mount / path.lstrip("/")
        # In a container the path can be the host's. Then only the files at the mount itself exist.
        directories += [group, *(each for each in group.parents if each.is_relative_to(mount))]
    return directories


def _quota(directory: Path) -> float | None:
    """Return the quota in CPUs, or None where there is none.

    Version 2 has one file, "quota period" or "max period"; version 1 has two, and -1 for none.
    """
    quota, _, period = _read(directory / "cpu.max").partition(" ")
    if not quota:
        quota = _read(directory / "cpu.cfs_quota_us")
        period = _read(directory / "cpu.cfs_period_us")
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
