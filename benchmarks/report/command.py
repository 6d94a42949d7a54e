"""Run all benchmarks at a chosen size and write JSON, and one page with tables and plots."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from benchmarks.checkouts import ROOT
from benchmarks.errors import Unavailable
from benchmarks.latency import command as latency
from benchmarks.load import command as load
from benchmarks.options import add_model_arguments
from benchmarks.pipelines import command as pipelines
from benchmarks.report.readme import update_readme
from benchmarks.roofline import command as roofline
from benchmarks.runs import Report, measured, read_json, write_json
from benchmarks.subjects import BASE, Subject, find_subject

#: Each has `add_arguments`, `measure` and `tables`; its docstring is its help.
BENCHMARKS: dict[str, ModuleType] = {
    "roofline": roofline,
    "latency": latency,
    "load": load,
    "pipelines": pipelines,
}

QUICK: dict[str, list[str]] = {
    "roofline": ["--rounds=2"],
    "latency": ["--rounds=10", "--hits=10", "--sizes", "50 KB", "200 KB", "12 MP"],
    "load": ["--seconds=2", "--rates=5"],
    "pipelines": ["--rounds=3"],
}
FULL: dict[str, list[str]] = {
    "roofline": [],
    "latency": ["--rounds=10"],
    "load": ["--limit=5", "--seconds=15"],
    "pipelines": ["--rounds=8"],
}

RESULTS = ROOT / "benchmarks" / "results"
TRAINED = "models/emoji_blip"


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    add = parser.add_argument
    add("--quick", action="store_true", help=f"a few minutes with {TRAINED}, not half an hour")
    add("--render", type=Path, metavar="FILE", help="measure nothing, make the page of this JSON")
    add("--output", type=Path, metavar="DIR", help="default: benchmarks/results/quick or full")
    add("--readme", type=Path, metavar="FILE", help="write a table into its marked section too")


def run(options: Namespace) -> int:
    """Return the exit status. Raises BenchmarkError and ModelDirectoryError."""
    try:
        # Before measuring for half an hour.
        from benchmarks.report.page import write_page
    except ImportError as exc:
        raise Unavailable(f"plots need {exc.name}; pip install '.[bench]' has it") from exc
    report = read_json(Report, options.render) if options.render else measure(options)
    output = options.output or RESULTS / report.size
    if not options.render:
        write_json(report, output / "results.json")
    print(f"report: {write_page(report, BENCHMARKS, output)}")
    if options.readme:
        update_readme(options.readme, report, output)
        print(f"updated: {options.readme}")
    return 0


def measure(options: Namespace) -> Report:
    """Measure benchmark after benchmark, to the end or an interruption. Raises BenchmarkError."""
    size, parameters = ("quick", QUICK) if options.quick else ("full", FULL)
    model = TRAINED if options.quick and options.model == BASE else options.model
    report = Report(size)
    for name, chosen in parts(model, find_subject(model), options.threads, parameters):
        found = measured(name, BENCHMARKS[name], chosen)
        if found.rows:
            report = replace(report, **{name: found})  # type: ignore[arg-type]
        if found.interrupted:
            print(f"interrupted in {name}: the page has the figures from before", file=sys.stderr)
            break
    return report


def parts(
    model: str, subject: Subject, threads: int, parameters: dict[str, list[str]]
) -> Iterator[tuple[str, Namespace]]:
    """Yield each benchmark's options. Servers run in int8 unless it cannot be exported."""
    precision = "int8" if subject.checkpoint else next(iter(subject.given))
    servers = ["ours", *(["tutorial"] if subject.checkpoint else [])]
    for name, benchmark in BENCHMARKS.items():
        arguments = [*parameters[name], f"--threads={threads}", f"--model={model}"]
        if name in ("latency", "load"):
            arguments += [f"--precision={precision}", "--servers", *servers]
        parser = ArgumentParser()
        benchmark.add_arguments(parser)
        yield name, parser.parse_args(arguments)
