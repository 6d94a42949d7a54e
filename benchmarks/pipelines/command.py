"""One caption of one picture in every pipeline that a user could choose, side by side.

Each pipeline lives in a process of its own; rounds go through all of them in turn, so that a drift
of the machine meets all alike and ratios within a round mean something.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Generator
from contextlib import ExitStack

from benchmarks.errors import ModelUnavailable, PeerUnavailable
from benchmarks.floor.kernels import measure_kernels, open_kernels
from benchmarks.floor.work import work_of
from benchmarks.options import add_model_arguments, positive
from benchmarks.peers.registry import PEERS
from benchmarks.pictures import SIZES, draw
from benchmarks.pipelines import figures, worker
from benchmarks.pipelines.beyond import measure_ours, open_ours
from benchmarks.plans import Plan
from benchmarks.processes import Call, process
from benchmarks.progress import Bar
from benchmarks.rows import Absent, Loaded, PipelineRow
from benchmarks.subjects import BASE, Subject, find_subject
from server.captioning.errors import ModelDirectoryError


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--tokens", type=positive, nargs="+", default=[10, 20], help="of a caption")
    parser.add_argument("--size", choices=list(SIZES), default="200 KB", help="of the picture")
    parser.add_argument(
        "--pipelines", nargs="+", choices=list(PEERS), default=list(PEERS), help="default: all"
    )


def plan(options: Namespace) -> Plan[PipelineRow]:
    """Raises ModelUnavailable."""
    subject = find_subject(options.model or BASE)
    return Plan(
        benchmark="pipelines",
        model=subject.label,
        threads=options.threads,
        settings={"rounds": str(options.rounds), "picture": options.size},
        total=None,
        measure=lambda bar: measure(options, subject, bar),
        tables=figures.tables,
    )


def measure(options: Namespace, subject: Subject, bar: Bar) -> Generator[PipelineRow, None, None]:
    """Raises WrongAnswer."""
    picture, large = draw(SIZES[options.size], 0), draw(SIZES["12 MP"], 0).jpeg
    with ExitStack() as stack:
        floor = stack.enter_context(process())
        yield floor(work_of, subject.any_directory())
        floor(open_kernels, options.threads)
        pipelines: dict[str, Call] = {}
        for name in options.pipelines:
            bar.say(f"loading {name}")
            call = stack.enter_context(process())
            try:
                yield load(call, name, subject, options.threads, picture.jpeg)
                pipelines[name] = call
            except (PeerUnavailable, ModelUnavailable, ModelDirectoryError) as exc:
                yield Absent(name, str(exc))
        beyond = stack.enter_context(process())
        beyond(open_ours, subject.least_directory(), options.threads)
        for number in range(options.rounds):
            bar.say(f"round {number + 1} of {options.rounds}")
            yield from floor(measure_kernels, number)
            for name in rotated(list(pipelines), number):
                for tokens in options.tokens:
                    yield pipelines[name](worker.caption, number, name, picture.jpeg, tokens)
            yield from beyond(measure_ours, number, picture, large)


def load(call: Call, name: str, subject: Subject, threads: int, jpeg: bytes) -> Loaded:
    """Raises PeerUnavailable and ModelUnavailable."""
    # Apart, or its memory would count as the pipeline's.
    with process() as preparing:
        preparing(worker.prepare, name, subject)
    return call(worker.load, name, subject, threads, jpeg)


def rotated(names: list[str], by: int) -> list[str]:
    start = by % max(1, len(names))
    return names[start:] + names[:start]
