"""Estimate what a preparation takes, and compare it with what the machine has free."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from export.prepare.terminal import gigabytes
from server.captioning.model.manifest import Precision

#: Bytes of Salesforce/blip-image-captioning-base, for a hub that does not tell sizes.
USUAL_CHECKPOINT = 1_000_000_000

#: Bytes of graphs and model directory together, for each byte of the checkpoint. Measured with base
#: geometry: 1.31 for int8, more with layers that are kept in fp32.
DISK: Mapping[Precision, float] = {"int8": 1.5, "fp32": 2.1}

#: Memory of the export: libraries, and bytes for each byte of the checkpoint. Measured with base
#: geometry: 4.2 GB, and 5.5 GB with retries that keep layers in fp32, which few exports need.
LIBRARIES, COPIES = 1_000_000_000, 3.8


@dataclass(frozen=True, slots=True)
class CheckpointSize:
    """Bytes of the files that the export needs; `arrived` of `total` are in the hub's cache.

    `total` is None where the hub does not tell. `kept` bytes of graphs are there from a run that
    did not end.
    """

    total: int | None
    arrived: int
    kept: int = 0


@dataclass(frozen=True, slots=True)
class EnvironmentSize:
    """Bytes that pip downloads for the export environment, and bytes that it takes on disk."""

    download: int
    disk: int


PRESENT = EnvironmentSize(0, 0)
CPU_TORCH = EnvironmentSize(400_000_000, 1_500_000_000)
CUDA_TORCH = EnvironmentSize(3_200_000_000, 7_000_000_000)


def environment_to_install(index: str | None) -> EnvironmentSize:
    """Return the size of an environment that is not there yet. `index` is TORCH_INDEX.

    Without an index of CPU builds, pip's default torch for Linux on x86-64 brings CUDA.
    """
    with_cuda = sys.platform == "linux" and platform.machine() == "x86_64" and not index
    return CUDA_TORCH if with_cuda else CPU_TORCH


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a preparation writes: the export environment, the hub's cache, the models."""

    environment: Path
    cache: Path
    models: Path


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes of memory, and of disk by the folder that takes them."""

    disk: tuple[tuple[Path, int], ...]
    memory: int


def estimate(
    checkpoint: CheckpointSize, packages: EnvironmentSize, precision: Precision, folders: Folders
) -> Needs:
    """Return what an export takes beside what is there: environment, checkpoint, graphs, result.

    The fp32 graphs are kept until the result is written, in either precision.
    """
    size = checkpoint.total or USUAL_CHECKPOINT
    disk = (
        (folders.environment, packages.disk),
        (folders.cache, size - checkpoint.arrived),
        (folders.models, max(0, int(size * DISK[precision]) - checkpoint.kept)),
    )
    return Needs(disk, int(LIBRARIES + COPIES * size))


class Resources(Protocol):
    """What a machine has free, in bytes."""

    def free_disk(self, path: Path) -> int: ...

    def device(self, path: Path) -> int: ...

    def available_memory(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Needs beside what is free: one line to read, and the shortages among them."""

    line: str
    shortages: tuple[str, ...]


def compare(needs: Needs, machine: Resources) -> Comparison:
    """Compare disk by file system, and memory. Unknown memory counts as enough."""
    by_device: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in needs.disk:
        by_device.setdefault(machine.device(folder), []).append((folder, size))
    parts, shortages = [], []
    for places in by_device.values():
        needed, folder = sum(size for _, size in places), places[0][0]
        free = machine.free_disk(folder)
        where = f" of {folder}" if len(by_device) > 1 else ""
        parts.append(f"disk{where}: {gigabytes(needed)} needed, {gigabytes(free)} free")
        shortages += parts[-1:] if free < needed else []
    memory = machine.available_memory()
    available = "unknown" if memory is None else gigabytes(memory)
    parts.append(f"memory: {gigabytes(needs.memory)} needed, {available} available")
    shortages += parts[-1:] if memory is not None and memory < needs.memory else []
    return Comparison("; ".join(parts), tuple(shortages))
