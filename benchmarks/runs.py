"""Recorded runs: rows, the conditions of the measurement, and their JSON form."""

import json
import sys
from argparse import Namespace
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import strftime
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from benchmarks.environment import Environment
from benchmarks.errors import Unavailable

Row = TypeVar("Row")
Record = TypeVar("Record")


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


def measured(name: str, benchmark: ModuleType, options: Namespace) -> Run[Any]:
    """Run a benchmark to its end or until Ctrl-C. Raises BenchmarkError, ModelDirectoryError."""
    run: Run[Any] = Run(name, Environment.here(options.threads))
    try:
        benchmark.measure(options, run)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def write_json(record: object, path: Path) -> None:
    """Write a Run, or a dataclass of Runs, with floats rounded to six digits after the point."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = asdict(
        record,  # type: ignore[call-overload]
        dict_factory=lambda fields: {name: _rounded(value) for name, value in fields},
    )
    path.write_text(json.dumps(fields, separators=(",", ":")) + "\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6)
    return [_rounded(each) for each in value] if isinstance(value, tuple) else value


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
