"""Caption one picture with every pipeline that a user could choose, side by side.

Each pipeline runs in a process of its own. A round goes through all of them in turn, so that they
share a drift of the machine and ratios within a round are comparable.
"""

from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from typing import Any

from benchmarks.errors import Unavailable
from benchmarks.interleaving import rotated
from benchmarks.latency import against
from benchmarks.latency import figures as latency_figures
from benchmarks.options import add_model_arguments, positive
from benchmarks.peers.registry import PEERS
from benchmarks.pictures import SIZES, draw
from benchmarks.pipelines import figures, worker
from benchmarks.processes import Call, process
from benchmarks.project import ModelDirectoryError
from benchmarks.roofline.kernels import measure_kernels, open_kernels
from benchmarks.roofline.model import work_of
from benchmarks.rows import Absent, Loaded
from benchmarks.runs import Run
from benchmarks.subjects import BASE, Subject, find_subject
from benchmarks.tables import Table


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    against.add_arguments(parser)
    add = parser.add_argument
    add("--precision", choices=["fp32", "int8"], default="int8", help="of --against")
    add("--tokens", type=positive, nargs="+", default=[10, 20], help="most tokens of a caption")
    add("--size", choices=list(SIZES), default="200 KB", help="of the picture")
    add("--pipelines", nargs="+", choices=list(PEERS), default=list(PEERS), help="default: all")


def measure(options: Namespace, run: Run[Any]) -> None:
    """Raises Unavailable, ModelDirectoryError and WrongAnswer."""
    if options.against:
        against.measure(options, run, options.size, cache=False)
        return
    subject = find_subject(options.model or BASE)
    rounds = options.rounds or 5
    run.model = subject.label
    run.settings = {"rounds": str(rounds), "picture": options.size}
    measure_pipelines(options, subject, rounds, run)


def measure_pipelines(options: Namespace, subject: Subject, rounds: int, run: Run[Any]) -> None:
    """Raises WrongAnswer."""
    jpeg = draw(SIZES[options.size], 0).jpeg
    with ExitStack() as stack:
        kernels = stack.enter_context(process())
        if subject.checkpoint:
            run.rows.append(kernels(work_of, subject.checkpoint))
        kernels(open_kernels, options.threads)
        pipelines: dict[str, Call] = {}
        for name in options.pipelines:
            run.say(f"loading {name}")
            call = stack.enter_context(process())
            try:
                run.rows.append(load(call, name, subject, options.threads, jpeg))
                pipelines[name] = call
            except (Unavailable, ModelDirectoryError) as exc:
                run.rows.append(Absent(name, str(exc)))
        for number in range(1, rounds + 1):
            run.say(f"round {number} of {rounds}")
            run.rows += kernels(measure_kernels, number)
            for name in rotated(list(pipelines), number):
                for tokens in options.tokens:
                    run.rows.append(pipelines[name](worker.caption, number, name, jpeg, tokens))


def load(call: Call, name: str, subject: Subject, threads: int, jpeg: bytes) -> Loaded:
    """Raises Unavailable and ModelDirectoryError."""
    # In another process, or its memory would count as the pipeline's.
    with process() as preparing:
        preparing(worker.prepare, name, subject)
    return call(worker.load, name, subject, threads, jpeg)


def tables(run: Run[Any]) -> list[Table]:
    compared = latency_figures.OTHER in run.settings
    return latency_figures.tables(run) if compared else figures.tables(run)
