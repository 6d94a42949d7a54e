"""Run all benchmarks at a chosen size and write JSON, and one page with tables and plots."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.errors import Unavailable
from benchmarks.options import add_model_arguments
from benchmarks.project import ROOT
from benchmarks.report.contents import BENCHMARKS, FULL, QUICK, Report, parts
from benchmarks.report.readme import update_readme
from benchmarks.runs import measured, read_json, write_json
from benchmarks.subjects import BASE, find_subject

RESULTS = ROOT / "benchmarks" / "results"
TRAINED = "models/emoji_blip"


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    add = parser.add_argument
    add(
        "--quick",
        action="store_true",
        help=f"a few minutes with {TRAINED}, instead of half an hour with base geometry",
    )
    add("--render", type=Path, metavar="FILE", help="measure nothing, make the page of this JSON")
    add("--output", type=Path, metavar="DIR", help="default: benchmarks/results/quick or full")
    add("--readme", type=Path, metavar="FILE", help="write a table into its marked section too")


def run(options: Namespace, console: Console) -> None:
    """Raises BenchmarkError and ModelDirectoryError."""
    try:
        # Before measuring for half an hour.
        from benchmarks.report.page import write_page
    except ImportError as exc:
        raise Unavailable(f"plots need {exc.name}; pip install '.[bench]' has it") from exc
    report = read_json(Report, options.render) if options.render else measure(options, console)
    output = options.output or RESULTS / report.size
    if not options.render:
        write_json(report, output / "results.json")
    console.print(f"report: {write_page(report, output)}")
    if options.readme:
        update_readme(options.readme, report, output)
        console.print(f"updated: {options.readme}")


def measure(options: Namespace, console: Console) -> Report:
    """Measure part after part, to the end or an interruption. Raises BenchmarkError."""
    size, parameters = ("quick", QUICK) if options.quick else ("full", FULL)
    model = options.model or (TRAINED if options.quick else BASE)
    report = Report(size)
    for name, chosen in parts(model, find_subject(model), options.threads, parameters):
        run = measured(name, BENCHMARKS[name], chosen)
        if run.rows:
            report = replace(report, **{name: run})  # type: ignore[arg-type]
        if run.interrupted:
            console.print(f"interrupted in {name}; the page shows the figures from before")
            break
    return report
