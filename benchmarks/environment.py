"""On what a run was measured: no figure means anything without it."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import environ
from pathlib import Path

from server.captioning.threads import available_threads

PACKAGES = ("onnxruntime", "torch", "transformers", "openvino", "nncf", "numpy", "pillow", "redis")

#: Instruction sets that decide how fast quantised and bf16 arithmetic is.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Environment:
    """`threads` is what pipelines compute with, `cores` what this process may use."""

    date: str
    cpu: str
    features: tuple[str, ...]
    cores: int
    threads: int
    memory_gib: float
    system: str
    versions: dict[str, str]

    @classmethod
    def here(cls, threads: int) -> "Environment":
        """This machine, now."""
        cpu = _read_fields(Path("/proc/cpuinfo"))
        memory = _read_fields(Path("/proc/meminfo")).get("MemTotal", "0 kB")
        flags = cpu.get("flags", cpu.get("Features", "")).split()
        return cls(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            cpu=cpu.get("model name", platform.processor() or platform.machine()),
            features=tuple(each for each in FEATURES if each in flags),
            cores=available_threads(),
            threads=threads,
            memory_gib=round(int(memory.split()[0]) / 2**20, 1),
            system=f"{platform.system()} {platform.machine()}{_malloc()}",
            versions={"python": platform.python_version(), **_installed()},
        )

    def __str__(self) -> str:
        tools = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cpu} ({', '.join(self.features) or 'no vector extensions known'}), "
            f"{self.cores} cores, {self.memory_gib:g} GiB, {self.system}; "
            f"threads: {self.threads}; {tools}; {self.date}"
        )


def _malloc() -> str:
    return ", malloc in huge pages" if "hugetlb=1" in environ.get("GLIBC_TUNABLES", "") else ""


def _installed() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _read_fields(path: Path) -> dict[str, str]:
    """The first of each "name: value" line in a file of /proc; nothing elsewhere."""
    fields: dict[str, str] = {}
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return fields
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields
