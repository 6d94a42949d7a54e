"""python -m benchmarks NAME: measure what captions cost here, beside the alternatives."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from benchmarks import checkpoint, tutorial
from benchmarks.errors import BenchmarkError
from benchmarks.project import ModelDirectoryError
from benchmarks.report import command as report
from benchmarks.report.contents import BENCHMARKS
from benchmarks.runs import measured, write_json
from benchmarks.tables import print_tables

#: The commands that measure nothing. Each has `add_arguments` and `run`; its docstring is its help.
COMMANDS = {"checkpoint": checkpoint, "tutorial": tutorial, "report": report}

#: Columns of output to a file or a pipe.
FILE_WIDTH = 180


class Parser(argparse.ArgumentParser):
    """Reports a bad flag in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"benchmarks: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, 1 for no figures, 2 for bad flags, 130 for an interruption."""
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    # As Ctrl-C does, the SIGTERM of a batch system keeps the rows measured so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.name in COMMANDS:
            COMMANDS[options.name].run(options, console)
            return 0
        return measure(options, console)
    except (BenchmarkError, ModelDirectoryError) as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted before the first figure", file=sys.stderr)
        return 130


def measure(options: argparse.Namespace, console: Console) -> int:
    """Run a benchmark, record it and print its tables. Raises BenchmarkError."""
    benchmark = BENCHMARKS[options.name]
    run = measured(options.name, benchmark, options)
    if options.json:
        write_json(run, options.json)
    console.print(f"{run.benchmark}: {run.model}", str(run.environment), sep="\n", highlight=False)
    if run.rows:
        print_tables(benchmark.tables(run), console)
    if run.interrupted:
        print(f"benchmarks: interrupted after {len(run.rows)} rows", file=sys.stderr)
    return 130 if run.interrupted else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    subparsers = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, module in {**BENCHMARKS, **COMMANDS}.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        subparser = subparsers.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(subparser)
        if name in BENCHMARKS:
            subparser.add_argument("--json", type=Path, metavar="FILE", help="record all rows here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
