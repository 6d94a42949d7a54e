"""The parts of a report and their parameters at either size."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks.latency import command as latency
from benchmarks.load import command as load
from benchmarks.pipelines import command as pipelines
from benchmarks.roofline import command as roofline
from benchmarks.rows import LatencyRow, LoadPoint, PipelineRow, RooflineRow
from benchmarks.runs import Run
from benchmarks.subjects import Subject

#: The benchmarks. Each has `add_arguments`, `measure` and `tables`; its docstring is its help.
BENCHMARKS: dict[str, ModuleType] = {
    "roofline": roofline,
    "latency": latency,
    "load": load,
    "pipelines": pipelines,
}

QUICK: dict[str, list[str]] = {
    "roofline": ["--rounds=2"],
    "latency": ["--rounds=10", "--hits=10", "--sizes", "50 KB", "200 KB", "12 MP"],
    "load": ["--seconds=2", "--popular=8", "--rates=5"],
    "pipelines": ["--rounds=3"],
}

FULL: dict[str, list[str]] = {
    "roofline": [],
    "latency": ["--rounds=10"],
    "load": ["--limit=5", "--seconds=15"],
    "pipelines": ["--rounds=8"],
}


@dataclass(frozen=True, slots=True)
class Report:
    """The runs of all parts; None for a part that an interruption left out."""

    size: str
    roofline: Run[RooflineRow] | None = None
    latency: Run[LatencyRow] | None = None
    load: Run[LoadPoint] | None = None
    pipelines: Run[PipelineRow] | None = None

    def runs(self) -> list[Run[Any]]:
        """Return the runs that there are, in the order of measurement."""
        return [run for name in BENCHMARKS if (run := getattr(self, name))]


def parts(
    model: str, subject: Subject, threads: int, parameters: dict[str, list[str]]
) -> Iterator[tuple[str, Namespace]]:
    """Yield each part's options. Servers run in int8 unless it cannot be exported."""
    precision = "int8" if subject.checkpoint else next(iter(subject.given))
    servers = ["ours", *(["tutorial"] if subject.checkpoint else [])]
    for name, benchmark in BENCHMARKS.items():
        arguments = [*parameters[name], f"--threads={threads}", f"--model={model}"]
        if name in ("latency", "load"):
            arguments += [f"--precision={precision}", "--servers", *servers]
        parser = ArgumentParser()
        benchmark.add_arguments(parser)
        yield name, parser.parse_args(arguments)
