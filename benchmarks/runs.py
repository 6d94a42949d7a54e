"""What a benchmark leaves behind: rows, and on what they were measured."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from benchmarks.environment import Environment
from benchmarks.errors import RecordError

Row = TypeVar("Row")
SomeRun = TypeVar("SomeRun")


@dataclass(frozen=True, slots=True)
class Run(Generic[Row]):
    """One benchmark's rows, in the order in which they were measured.

    `model` says what was measured with, for people; `settings` are the benchmark's parameters.
    `interrupted` runs hold what was measured before somebody lost patience.
    """

    benchmark: str
    model: str
    settings: Mapping[str, str]
    environment: Environment
    interrupted: bool
    rows: tuple[Row, ...]


def write_json(run: object, path: Path) -> None:
    """Write a Run, or any dataclass that holds some."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = asdict(run, dict_factory=_short)  # type: ignore[call-overload]
    path.write_text(json.dumps(fields, separators=(",", ":")) + "\n", encoding="utf-8")


def _short(fields: list[tuple[str, object]]) -> dict[str, object]:
    """Seconds to the microsecond: tens of thousands of latencies get committed."""
    return {name: _rounded(value) for name, value in fields}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6)
    return [_rounded(each) for each in value] if isinstance(value, tuple) else value


def read_json(kind: type[SomeRun], path: Path) -> SomeRun:
    """Read what `write_json` wrote. Raises RecordError."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as exc:
        raise RecordError(f"{path} can't be read: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path} is no recorded run: {where}: {first['msg']}") from exc
