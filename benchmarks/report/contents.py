"""What a report consists of, and how its parts are measured at either size."""

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks.floor import command as floor
from benchmarks.floor.command import FloorRow
from benchmarks.latency import command as latency
from benchmarks.load import command as load
from benchmarks.peers.registry import PEERS
from benchmarks.pipelines import command as pipelines
from benchmarks.plans import Plan
from benchmarks.rows import LatencyRow, LoadRow, PipelineRow
from benchmarks.runs import Run
from benchmarks.subjects import Subject

QUICK: dict[str, list[str]] = {
    "floor": ["--rounds=2", "--requests=20"],
    "latency": ["--rounds=3", "--hits=10", "--sizes", "50 KB", "200 KB", "12 MP"],
    "load": ["--seconds=2", "--popular=8", "--connections", "1", "4", "--sweep=5"],
    "pipelines": ["--rounds=3", "--pipelines", *(each for each in PEERS if "notebook" not in each)],
}

FULL: dict[str, list[str]] = {
    "floor": [],
    "latency": ["--rounds=8"],
    "load": ["--limit=5", "--seconds=15"],
    "pipelines": ["--rounds=8"],
}


@dataclass(frozen=True, slots=True)
class Report:
    """None stands for a part that an interruption left no time for."""

    size: str
    floor: Run[FloorRow] | None = None
    latency: Run[LatencyRow] | None = None
    load: Run[LoadRow] | None = None
    pipelines: Run[PipelineRow] | None = None

    def runs(self) -> list[Run[Any]]:
        """Those that there are, in the order in which they were measured."""
        return [run for name in PARTS if (run := getattr(self, name))]


PARTS: dict[str, ModuleType] = {
    "floor": floor,
    "latency": latency,
    "load": load,
    "pipelines": pipelines,
}


def plans(
    model: str, subject: Subject, threads: int, sizes: dict[str, list[str]]
) -> Iterator[tuple[str, Plan[Any]]]:
    """Each part's name and plan; servers run the least precision that there is.

    Raises ModelUnavailable.
    """
    precision = "int8" if "int8" in subject.directories else "fp32"
    servers = ["ours", *(["tutorial"] if subject.checkpoint else [])]
    for name, module in PARTS.items():
        arguments = [*sizes[name], f"--threads={threads}"]
        if name != "floor":
            arguments += [f"--model={model}"]
        if name in ("latency", "load"):
            arguments += [f"--precision={precision}", "--servers", *servers]
        parser = ArgumentParser()
        module.add_arguments(parser)
        yield name, module.plan(parser.parse_args(arguments))
