"""Search the highest rate of requests at which a server keeps a latency limit."""

import asyncio
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack

import numpy as np

from benchmarks.http.client import Client, Target
from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.load.figures import tables
from benchmarks.load.points import fill_cache, measure_point
from benchmarks.load.sweep import sweep
from benchmarks.load.traffic import Traffic
from benchmarks.options import (
    add_server_arguments,
    chosen_subject,
    model_label,
    number,
    positive,
    references,
    start_servers,
)
from benchmarks.pictures import SIZES, draw
from benchmarks.rows import LoadPoint
from benchmarks.runs import Run

__all__ = ["add_arguments", "measure", "tables"]

#: Different pictures; every upload is one of them, in a file of its own.
MOTIFS = 4


def add_arguments(parser: ArgumentParser) -> None:
    add_server_arguments(parser)
    add = parser.add_argument
    add("--size", choices=list(SIZES), default="50 KB")
    add("--seconds", type=number(0.01, 600), default=10.0, help="of each rate (default: 10)")
    add("--hit-ratio", type=number(0, 1), default=0.9, help="share of cached files (default: 0.9)")
    add("--popular", type=positive, default=20, help="cached files, by Zipf's law (default: 20)")
    add("--limit", type=number(0.001, 600), default=1.0, help="on latency, seconds (default: 1)")
    add("--rates", type=positive, default=8, help="rates to try on each server (default: 8)")


def measure(options: Namespace, run: Run[LoadPoint]) -> None:
    """Measure servers one after the other: under load each needs the machine for itself.

    Raises Unavailable, ModelDirectoryError and WrongAnswer.
    """
    subject = chosen_subject(options)
    run.model = model_label(options, subject)
    shown = ("size", "seconds", "hit_ratio", "popular", "limit")
    run.settings = {name: str(getattr(options, name)) for name in shown}
    motifs = [draw(SIZES[options.size], index) for index in range(MOTIFS)]
    run.say("captioning the pictures without a server")
    known = reference_captions(references(options, subject), options.threads, motifs, [None])

    async def load(target: Target) -> None:
        async with Client.open(target) as client:
            verifier = Verifier(known)
            cached, seconds = await fill_cache(client, motifs, options.popular, verifier)
            traffic = Traffic(motifs, cached, options.hit_ratio, np.random.default_rng(0))

            async def at(rate: float) -> LoadPoint:
                run.say(f"{target.name}, {rate:.3g} requests a second")
                point = await measure_point(client, traffic, verifier, rate, options.seconds)
                run.rows.append(point)
                return point

            # Half the capacity by the time of a caption; a hit takes about a millisecond.
            mean = (1 - options.hit_ratio) * seconds + options.hit_ratio * 0.001
            await sweep(at, 0.5 / mean, options.limit, options.rates)

    for name in ["server"] if options.url else options.servers:
        with ExitStack() as stack:
            run.say(f"starting {name}")
            (target,) = start_servers(stack, options, subject, [name])
            asyncio.run(load(target))
