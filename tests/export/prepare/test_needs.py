"""What a preparation takes is estimated, stated, and compared with what is free."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from export.prepare.check import check
from export.prepare.errors import PrepareError
from export.prepare.machine import available_memory
from export.prepare.needs import (
    CPU_TORCH,
    CUDA_TORCH,
    PRESENT,
    CheckpointSize,
    EnvironmentSize,
    Folders,
    environment_to_install,
)

GB = 1_000_000_000
FOLDERS = Folders(Path("/env"), Path("/cache"), Path("/models"))
CHECKPOINT = CheckpointSize(GB, 0)


@dataclass
class FakeMachine:
    """A machine with one disk, but for the folders that `disks` puts on others."""

    free: int = 100 * GB
    memory: int | None = 100 * GB
    disks: dict[Path, int] = field(default_factory=dict)

    def free_disk(self, path: Path) -> int:
        return self.free

    def device(self, path: Path) -> int:
        return self.disks.get(path, 0)

    def available_memory(self) -> int | None:
        return self.memory


def stated(
    capsys: pytest.CaptureFixture[str],
    machine: FakeMachine,
    checkpoint: CheckpointSize = CHECKPOINT,
    packages: EnvironmentSize = PRESENT,
    *,
    force: bool = False,
) -> str:
    """Check the needs of an int8 export and return the line that is printed."""
    check(checkpoint, packages, "int8", FOLDERS, machine, force)
    return capsys.readouterr().err


def test_all_needs_are_stated(capsys: pytest.CaptureFixture[str]) -> None:
    """Download, disk and memory: environment, checkpoint, fp32 graphs and the int8 result."""
    assert stated(capsys, FakeMachine(), packages=CPU_TORCH) == (
        "prepare: download: checkpoint 1.0 GB, packages about 0.4 GB; "
        "disk: 4.0 GB needed, 100.0 GB free; memory: 4.8 GB needed, 100.0 GB available\n"
    )


def test_what_is_there_is_not_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """An installed environment, downloaded bytes and kept graphs take no further disk."""
    line = stated(capsys, FakeMachine(), CheckpointSize(GB, GB // 2, kept=GB))
    assert "checkpoint 1.0 GB (0.5 GB of it here already);" in line
    assert "disk: 1.0 GB needed" in line


def test_a_size_that_the_hub_does_not_tell_is_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    """The size is called unknown, and the needs are those of the usual checkpoint."""
    line = stated(capsys, FakeMachine(), CheckpointSize(None, 0))
    assert "checkpoint of unknown size" in line
    assert "disk: 2.5 GB needed" in line


def test_each_disk_is_compared_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """A cache on another disk needs room there, and not where the models are."""
    line = stated(capsys, FakeMachine(disks={Path("/cache"): 1}))
    assert "disk of /env: 1.5 GB needed" in line
    assert "disk of /cache: 1.0 GB needed" in line


@pytest.mark.parametrize(
    ("machine", "shortage"),
    [
        (FakeMachine(free=2 * GB), "disk: 2.5 GB needed, 2.0 GB free"),
        (FakeMachine(memory=3 * GB), "memory: 4.8 GB needed, 3.0 GB available"),
    ],
)
def test_a_shortage_is_refused_unless_forced(
    machine: FakeMachine, shortage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the needed and the free amount, and --force goes on."""
    with pytest.raises(PrepareError, match=f"^not enough {shortage}: free some, or pass --force.$"):
        stated(capsys, machine)
    assert shortage in capsys.readouterr().err
    assert shortage in stated(capsys, machine, force=True)


def test_unknown_memory_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the system does not tell, the need is stated and nothing is refused."""
    assert "memory: 4.8 GB needed, unknown available" in stated(capsys, FakeMachine(memory=None))


def test_the_remedy_for_cuda_packages_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """On a small disk an index of CPU builds is the difference."""
    with pytest.raises(PrepareError, match="TORCH_INDEX"):
        stated(capsys, FakeMachine(free=8 * GB), packages=CUDA_TORCH)


def test_an_index_of_cpu_builds_saves_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's default torch brings CUDA on Linux with x86-64, and nowhere else."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert environment_to_install(None) == CUDA_TORCH
    assert environment_to_install("https://index") == CPU_TORCH
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert environment_to_install(None) == CPU_TORCH


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


KERNEL = {"proc/meminfo": "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable: 4000 kB\n"}
PARENT = {"sys/fs/cgroup/memory.max": "5\n", "sys/fs/cgroup/memory.current": "2\n"}
GROUP = {"proc/self/cgroup": "0::/box\n"}


def limited(limit: str, used: str, files: int) -> dict[str, str]:
    box = "sys/fs/cgroup/box"
    return {
        f"{box}/memory.max": f"{limit}\n",
        f"{box}/memory.current": f"{used}\n",
        f"{box}/memory.stat": f"anon 5\nactive_file {files}\ninactive_file 1000\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (KERNEL, 4_096_000),
        ({**KERNEL, **GROUP, **limited("max", "7000", 0)}, 4_096_000),
        ({**KERNEL, **GROUP, **limited("2000000", "500000", 100_000)}, 1_601_000),
        ({**KERNEL, **GROUP, **limited("9000000", "500000", 0)}, 4_096_000),
        ({**KERNEL, **GROUP, **PARENT}, 3),
    ],
    ids=["unknown", "kernel", "no limit", "cgroup", "cgroup of more than there is", "parent"],
)
def test_memory_is_what_kernel_and_cgroups_leave(
    files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    """The smallest amount counts, and file pages of a cgroup are free."""
    assert available_memory(write(tmp_path, files)) == expected
