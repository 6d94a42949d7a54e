"""Recorded runs: rows, the conditions of the measurement, and their JSON form."""

import json
import platform
import re
import sys
from argparse import Namespace
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distributions
from os import environ
from pathlib import Path
from time import strftime
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from benchmarks.errors import Unavailable
from benchmarks.rows import LatencyRow, LoadPoint, PipelineRow, RooflineRow
from server.captioning.threads import available_threads

PACKAGES = ("onnxruntime", "torch", "transformers", "openvino", "nncf", "numpy", "pillow", "redis")
#: Instruction sets that decide the speed of int8 and bf16 arithmetic.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")

Row = TypeVar("Row")
Record = TypeVar("Record")


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
        installed = {each.name.lower(): each.version for each in distributions()}
        return cls(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            cpu=f"{name[1] if name else platform.machine()} ({', '.join(features)})",
            cores=available_threads(),
            threads=threads,
            system=platform.system() + (", malloc in huge pages" if huge_pages else ""),
            versions={
                "python": platform.python_version(),
                **{each: installed[each] for each in PACKAGES if each in installed},
            },
        )

    def __str__(self) -> str:
        tools = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores, {self.system}; threads: {self.threads}; {tools}; "
            f"{self.date}"
        )


@dataclass(slots=True)
class Run(Generic[Row]):
    """One benchmark's rows in the order of measurement, added while it runs.

    `model` names model and precision for readers, `settings` the benchmark's parameters. An
    interrupted run holds the rows from before the interruption.
    """

    benchmark: str
    environment: Environment
    model: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    rows: list[Row] = field(default_factory=list)

    def say(self, step: str) -> None:
        """Print the step that begins now on stderr."""
        print(f"{strftime('%H:%M:%S')} {self.benchmark}: {step}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Report:
    """The runs of all benchmarks; None for one that an interruption left out."""

    size: str
    roofline: Run[RooflineRow] | None = None
    latency: Run[LatencyRow] | None = None
    load: Run[LoadPoint] | None = None
    pipelines: Run[PipelineRow] | None = None


def measured(name: str, benchmark: ModuleType, options: Namespace) -> Run[Any]:
    """Run a benchmark to its end or until Ctrl-C. Raises BenchmarkError, ModelDirectoryError."""
    run: Run[Any] = Run(name, Environment.here(options.threads))
    try:
        benchmark.measure(options, run)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def write_json(record: Run[Any] | Report, path: Path) -> None:
    """Write a record as JSON, with floats rounded to six digits after the point."""
    text = TypeAdapter(type(record)).dump_json(record)
    rounded = json.loads(text, parse_float=lambda digits: round(float(digits), 6))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded, separators=(",", ":")) + "\n", encoding="utf-8")


def read_json(kind: type[Record], path: Path) -> Record:
    """Read the output of `write_json`. Raises Unavailable."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as exc:
        raise Unavailable(f"{path} can't be read: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unavailable(
            f"{path} is not a report of this version: {where}: {first['msg']}; measure again with "
            "`python -m benchmarks report`"
        ) from exc
