"""Search the highest rate of requests at which a server keeps a latency limit."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable

import numpy as np

from benchmarks.http.client import Client, Target
from benchmarks.http.servers import start_server
from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.load.figures import keeps, tables
from benchmarks.load.traffic import Traffic, fill_cache, measure_point
from benchmarks.options import (
    add_model_arguments,
    add_server_arguments,
    model_directories,
    number,
    positive,
)
from benchmarks.pictures import SIZES, draw
from benchmarks.rows import LoadPoint
from benchmarks.runs import Run
from benchmarks.subjects import find_subject

__all__ = ["add_arguments", "measure", "tables"]

SIZE = "50 KB"
#: Different pictures; every upload is one of them, in a file of its own.
MOTIFS = 4
#: Cached files.
POPULAR = 20


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    add_server_arguments(parser)
    add = parser.add_argument
    add("--seconds", type=number(0.01, 600), default=10.0, help="of each rate (default: 10)")
    add("--hit-ratio", type=number(0, 1), default=0.9, help="share of cached files (default: 0.9)")
    add("--limit", type=number(0.001, 600), default=1.0, help="on latency, seconds (default: 1)")
    add("--rates", type=positive, default=8, help="rates to try on each server (default: 8)")


def measure(options: Namespace, run: Run[LoadPoint]) -> None:
    """Measure servers one after the other: under load each needs the machine for itself.

    Raises Unavailable, ModelDirectoryError and WrongAnswer.
    """
    subject = find_subject(options.model)
    directories = model_directories(options, subject)
    run.model = f"{subject.label}; ours in {options.precision}"
    shown = {name: str(getattr(options, name)) for name in ("seconds", "hit_ratio", "limit")}
    run.settings = {"size": SIZE, **shown}
    motifs = [draw(SIZES[SIZE], index) for index in range(MOTIFS)]
    run.say("captioning the pictures without a server")
    known = reference_captions(directories, options.threads, motifs, [None])

    async def load(target: Target) -> None:
        async with Client.open(target) as client:
            verifier = Verifier(known)
            cached, seconds = await fill_cache(client, motifs, POPULAR, verifier)
            traffic = Traffic(motifs, cached, options.hit_ratio, np.random.default_rng(0))

            async def at(rate: float) -> LoadPoint:
                run.say(f"{target.name}, {rate:.3g} requests a second")
                point = await measure_point(client, traffic, verifier, rate, options.seconds)
                run.rows.append(point)
                return point

            # Half the capacity by the time of a caption; a hit takes about a millisecond.
            mean = (1 - options.hit_ratio) * seconds + options.hit_ratio * 0.001
            await sweep(at, 0.5 / mean, options.limit, options.rates)

    for name, directory in directories.items():
        run.say(f"starting {name}")
        with start_server(name, subject, directory, options.threads) as target:
            asyncio.run(load(target))


async def sweep(
    measure: Callable[[float], Awaitable[LoadPoint]], start: float, limit: float, tries: int
) -> None:
    """Measure at rates that close in on the highest rate kept.

    The rate doubles or halves from `start` until one is kept and a greater one is not. Then it is
    the geometric mean of the two.
    """
    kept, lost = 0.0, float("inf")
    rate = start
    for _ in range(tries):
        if keeps(await measure(rate), limit):
            kept = max(kept, rate)
        else:
            lost = min(lost, rate)
        if kept and lost < float("inf"):
            rate = (kept * lost) ** 0.5
        else:
            rate = rate * 2 if kept else rate / 2
