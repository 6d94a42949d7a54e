"""Caption one picture with every pipeline that a user could choose, side by side.

Each pipeline runs in a process of its own. A round goes through all of them in turn, so that they
share a drift of the machine and ratios within a round are comparable.
"""

from argparse import ArgumentParser, Namespace
from concurrent.futures import Executor
from contextlib import ExitStack
from typing import Any

from benchmarks.errors import Unavailable
from benchmarks.latency import against
from benchmarks.options import add_against_arguments, add_model_arguments, positive
from benchmarks.peers import worker
from benchmarks.pictures import SIZES, draw
from benchmarks.pipelines import figures
from benchmarks.processes import process
from benchmarks.roofline.command import work_of
from benchmarks.roofline.kernels import measure_kernels, open_kernels
from benchmarks.rounds import rotated
from benchmarks.rows import Absent
from benchmarks.runs import Run
from benchmarks.subjects import Subject, find_subject
from benchmarks.tables import Table
from server.captioning.errors import ModelDirectoryError

SIZE = "200 KB"


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    add_against_arguments(parser)
    add = parser.add_argument
    add("--precision", choices=["fp32", "int8"], default="int8", help="of --against")
    add("--tokens", type=positive, nargs="+", default=[10, 20], help="most tokens of a caption")
    add(
        "--pipelines",
        nargs="+",
        choices=worker.PEERS,
        default=list(worker.PEERS),
        help="default: all",
    )


def measure(options: Namespace, run: Run[Any]) -> None:
    """Raises Unavailable, ModelDirectoryError and WrongAnswer."""
    if options.against:
        against.measure(options, run, SIZE, cache=False)
        return
    subject, rounds = find_subject(options.model), options.rounds or 5
    run.model = subject.label
    run.settings = {"rounds": str(rounds), "picture": SIZE}
    measure_pipelines(options, subject, rounds, run)


def measure_pipelines(options: Namespace, subject: Subject, rounds: int, run: Run[Any]) -> None:
    """Raises WrongAnswer."""
    jpeg = draw(SIZES[SIZE], 0).jpeg
    with ExitStack() as stack:
        kernels = stack.enter_context(process())
        if subject.checkpoint:
            run.rows.append(kernels.submit(work_of, subject.checkpoint).result())
        kernels.submit(open_kernels, options.threads).result()
        pipelines: dict[str, Executor] = {}
        for name in options.pipelines:
            run.say(f"loading {name}")
            own = stack.enter_context(process())
            try:
                # In another process, or its memory would count as the pipeline's.
                with process() as other:
                    other.submit(worker.prepare, name, subject).result()
                loading = own.submit(worker.load, name, subject, options.threads, jpeg)
                run.rows.append(loading.result())
                pipelines[name] = own
            except (Unavailable, ModelDirectoryError) as exc:
                run.rows.append(Absent(name, str(exc)))
        for number in range(1, rounds + 1):
            run.say(f"round {number} of {rounds}")
            run.rows += kernels.submit(measure_kernels, number).result()
            for name in rotated(list(pipelines), number):
                for tokens in options.tokens:
                    caption = pipelines[name].submit(worker.caption, number, name, jpeg, tokens)
                    run.rows.append(caption.result())


def tables(run: Run[Any]) -> list[Table]:
    return against.tables(run) if against.OTHER in run.settings else figures.tables(run)
