"""The number of threads follows affinity mask and cgroup quota, on files made for the test."""

import os
from pathlib import Path

import pytest

from server.captioning.threads import available_threads


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, content in {"proc/self/cgroup": cgroup, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content + "\n")
    return root


def test_without_cgroups_the_affinity_mask_counts(tmp_path: Path) -> None:
    """Without cgroups the process has the CPUs of its affinity mask."""
    assert available_threads(tmp_path) == 8


@pytest.mark.parametrize(
    ("limit", "threads"),
    [("max 100000", 8), ("300000 100000", 3), ("250000 100000", 2), ("50000 100000", 1)],
)
def test_quota_of_cgroup_version_2(tmp_path: Path, limit: str, threads: int) -> None:
    """The quota in cpu.max is rounded down, to 1 at least, and "max" means none."""
    root = machine(tmp_path, "0::/app", {"sys/fs/cgroup/app/cpu.max": limit})
    assert available_threads(root) == threads


def test_the_tightest_quota_above_the_process_counts(tmp_path: Path) -> None:
    """The smallest quota of the process's cgroup and its parents counts."""
    files = {
        "sys/fs/cgroup/pod/cpu.max": "200000 100000",
        "sys/fs/cgroup/pod/app/cpu.max": "400000 100000",
    }
    assert available_threads(machine(tmp_path, "0::/pod/app", files)) == 2


def test_a_container_sees_its_own_group_at_the_mount(tmp_path: Path) -> None:
    """Where the host's path does not exist, as in a container, the files at the mount count."""
    files = {"sys/fs/cgroup/cpu.max": "200000 100000"}
    assert available_threads(machine(tmp_path, "0::/../host/path", files)) == 2


@pytest.mark.parametrize(("quota", "threads"), [("-1", 8), ("400000", 4)])
def test_quota_of_cgroup_version_1(tmp_path: Path, quota: str, threads: int) -> None:
    """The quota is cpu.cfs_quota_us over cpu.cfs_period_us, and -1 means none."""
    files = {
        "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": quota,
        "sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000",
    }
    cgroup = "5:memory:/app\n4:cpu,cpuacct:/app"
    assert available_threads(machine(tmp_path, cgroup, files)) == threads


def test_affinity_below_the_quota_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The affinity mask counts where it has fewer CPUs than the quota."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    root = machine(tmp_path, "0::/", {"sys/fs/cgroup/cpu.max": "400000 100000"})
    assert available_threads(root) == 1
