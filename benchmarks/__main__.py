"""python -m benchmarks NAME: what captions cost here, and what a user would otherwise pay."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from rich.console import Console

from benchmarks import checkpoint, tutorial
from benchmarks.errors import BenchmarkError
from benchmarks.floor import command as floor
from benchmarks.latency import command as latency
from benchmarks.load import command as load
from benchmarks.pipelines import command as pipelines
from benchmarks.plans import Plan
from benchmarks.report import command as report
from benchmarks.runs import write_json
from benchmarks.tables import print_tables
from server.captioning.errors import ModelDirectoryError

#: What measures. Each has `add_arguments` and `plan`, and its docstring is its help.
BENCHMARKS = {"latency": latency, "load": load, "pipelines": pipelines, "floor": floor}

#: What does something else. Each has `add_arguments` and `run`.
COMMANDS = {"checkpoint": checkpoint, "tutorial": tutorial, "report": report}

#: Columns of what goes to a file or a pipe, where nothing else would say.
FILE_WIDTH = 150


class Parser(argparse.ArgumentParser):
    """One line for a bad flag, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"benchmarks: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 for no figures, 2 for bad flags, 130 for figures cut short."""
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    # A batch system's SIGTERM is no reason to lose what was measured either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.name in COMMANDS:
            COMMANDS[options.name].run(options, console)
            return 0
        return measure(BENCHMARKS[options.name].plan(options), options.json, console)
    # The runtime's own as well: a model directory can turn out broken when it is loaded.
    except (BenchmarkError, ModelDirectoryError) as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted before there was anything to keep", file=sys.stderr)
        return 130


def measure(plan: Plan[Any], json: Path | None, console: Console) -> int:
    """Run, print and record. Raises BenchmarkError."""
    run = plan.run()
    if json:
        write_json(run, json)
    console.print(f"{run.benchmark}: {run.model}", str(run.environment), sep="\n", highlight=False)
    if run.rows:
        print_tables(plan.tables(run), console)
    if run.interrupted:
        print(f"benchmarks: interrupted after {len(run.rows)} rows", file=sys.stderr)
    return 130 if run.interrupted else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    subparsers = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, module in {**BENCHMARKS, **COMMANDS}.items():
        subparser = subparsers.add_parser(name, help=summary(module), description=module.__doc__)
        module.add_arguments(subparser)
        if name in BENCHMARKS:
            subparser.add_argument(
                "--json", type=Path, metavar="FILE", help="record all rows there"
            )
    return parser.parse_args(arguments)


def summary(module: ModuleType) -> str:
    return (module.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
