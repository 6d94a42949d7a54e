"""The conditions of a measurement: hardware, versions, threads, date."""

import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from os import environ
from pathlib import Path

from benchmarks.project import available_threads

PACKAGES = ("onnxruntime", "torch", "transformers", "openvino", "nncf", "numpy", "pillow", "redis")

#: Instruction sets that decide the speed of int8 and bf16 arithmetic.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


@dataclass(frozen=True, slots=True)
class Environment:
    """`threads` is the number that inference uses, `cores` the number this process may use."""

    date: str
    cpu: str
    cores: int
    threads: int
    system: str
    versions: dict[str, str]

    @classmethod
    def here(cls, threads: int) -> "Environment":
        """Describe this machine now."""
        info = Path("/proc/cpuinfo")
        text = info.read_text() if info.exists() else ""
        name = re.search(r"model name\s*: (.*)", text)
        features = [each for each in FEATURES if re.search(rf"\b{each}\b", text)]
        huge_pages = "hugetlb=1" in environ.get("GLIBC_TUNABLES", "")
        return cls(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            cpu=f"{name[1] if name else platform.machine()} ({', '.join(features)})",
            cores=available_threads(),
            threads=threads,
            system=platform.system() + (", malloc in huge pages" if huge_pages else ""),
            versions={"python": platform.python_version(), **_installed()},
        )

    def __str__(self) -> str:
        tools = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores, {self.system}; threads: {self.threads}; {tools}; "
            f"{self.date}"
        )


def _installed() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
