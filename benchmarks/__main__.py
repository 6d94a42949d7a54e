"""python -m benchmarks NAME: measure what captions cost here, beside the alternatives."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks.errors import BenchmarkError
from benchmarks.report import command as report
from benchmarks.report.command import BENCHMARKS
from benchmarks.runs import measured, write_json
from server.captioning.errors import ModelDirectoryError


class Parser(argparse.ArgumentParser):
    """Reports a bad flag in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"benchmarks: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, 1 for no figures, 2 for bad flags, 130 for an interruption."""
    options = parse(arguments)
    # As Ctrl-C does, the SIGTERM of a batch system keeps the rows measured so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return report.run(options) if options.name == "report" else measure(options)
    except (BenchmarkError, ModelDirectoryError) as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted before the first figure", file=sys.stderr)
        return 130


def measure(options: argparse.Namespace) -> int:
    """Run a benchmark, record it and print its tables. Raises BenchmarkError."""
    benchmark = BENCHMARKS[options.name]
    run = measured(options.name, benchmark, options)
    if options.json:
        write_json(run, options.json)
    print(f"{run.benchmark}: {run.model}\n{run.environment}\n")
    print("\n".join(table.to_markdown() for table in benchmark.tables(run)))
    if run.interrupted:
        print(f"benchmarks: interrupted after {len(run.rows)} rows", file=sys.stderr)
    return 130 if run.interrupted else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    subparsers = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, module in {**BENCHMARKS, "report": report}.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        subparser = subparsers.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(subparser)
        if name in BENCHMARKS:
            subparser.add_argument("--json", type=Path, metavar="FILE", help="record all rows here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
