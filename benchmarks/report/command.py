"""All of it at a chosen size, as JSON and one page with tables and plots."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.errors import PeerUnavailable
from benchmarks.http.servers import ROOT
from benchmarks.options import add_model_arguments
from benchmarks.report.contents import FULL, QUICK, Report, plans
from benchmarks.report.readme import update_readme
from benchmarks.runs import read_json, write_json
from benchmarks.subjects import BASE, find_subject

RESULTS = ROOT / "benchmarks" / "results"
TRAINED = "models/emoji_blip"


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"about two minutes with {TRAINED}, instead of half an hour with base geometry",
    )
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="measure nothing, make the page of this JSON"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="(default: benchmarks/results/quick or full)"
    )
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="write the figures into its marked section too"
    )


def run(options: Namespace, console: Console) -> None:
    """Raises BenchmarkError."""
    try:
        # First of all: nobody should measure for half an hour and then lack the plots' package.
        from benchmarks.report.page import write_page
    except ImportError as exc:
        raise PeerUnavailable(f"plots need {exc.name}; pip install '.[bench]' has it") from exc
    report = read_json(Report, options.render) if options.render else measure(options, console)
    output = options.output or RESULTS / report.size
    if not options.render:
        write_json(report, output / "results.json")
    page = write_page(report, output)
    console.print(f"report: {page}")
    if options.readme:
        update_readme(options.readme, report, output)
        console.print(f"updated: {options.readme}")


def measure(options: Namespace, console: Console) -> Report:
    """Part after part, until the end or an interruption. Raises BenchmarkError."""
    size = "quick" if options.quick else "full"
    model = options.model or (TRAINED if options.quick else BASE)
    subject = find_subject(model)
    report = Report(size)
    for name, plan in plans(model, subject, options.threads, QUICK if options.quick else FULL):
        run = plan.run()
        if run.rows:
            report = replace(report, **{name: run})  # type: ignore[arg-type]
        if run.interrupted:
            console.print(f"interrupted in {name}; what follows is from before")
            break
    return report
