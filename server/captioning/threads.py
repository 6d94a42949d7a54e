"""How many threads this process may really use."""

import os
from pathlib import Path


def available_threads(root: Path = Path("/")) -> int:
    """The affinity mask's CPUs, or the cgroup's whole CPUs of quota where that is less; at least 1.

    The quota is rounded down: a thread too many gets all of them throttled in mid-step.
    `root` is where /proc and /sys lie.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [quota for directory in _cgroups(root) if (quota := _quota(directory)) is not None]
    return max(1, int(min([float(allowed or 1), *quotas])))


def _cgroups(root: Path) -> list[Path]:
    """The process's CPU cgroup and every one above it, whichever version is mounted."""
    directories = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        group = mount / path.lstrip("/")
        # Inside a container the path can be the host's, while only the mount's own files exist.
        directories += [group, *(each for each in group.parents if each.is_relative_to(mount))]
    return directories


def _quota(directory: Path) -> float | None:
    """CPUs: cpu.max holds "quota period", or "max" for none; cgroup v1 a file each, or -1."""
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
