"""How a server bears many requests at once, and up to which rate it keeps a latency limit."""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

import numpy as np

from benchmarks.floor.captions import caption_floors
from benchmarks.http.client import Client, Target
from benchmarks.http.references import reference_captions
from benchmarks.http.servers import bare_server
from benchmarks.http.verification import Verifier
from benchmarks.load import figures
from benchmarks.load.points import Level, Traffic, fill_cache, measure_closed, measure_open
from benchmarks.load.sweep import sweep
from benchmarks.options import (
    add_server_arguments,
    chosen_subject,
    model_label,
    positive,
    positive_number,
    references,
    share,
    start_servers,
)
from benchmarks.pictures import SIZES, Picture, draw
from benchmarks.plans import Plan, synchronously
from benchmarks.progress import Bar
from benchmarks.rows import LoadPoint, LoadRow
from benchmarks.subjects import Subject

#: Different pictures; every upload is one of them, in a file of its own.
MOTIFS = 4
#: Thousands of answers come within it.
FLOOR_SECONDS = 2.0


def add_arguments(parser: ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument("--size", choices=list(SIZES), default="50 KB")
    parser.add_argument("--seconds", type=positive_number, default=10.0, help="of each level")
    parser.add_argument(
        "--hit-ratio",
        type=share,
        default=0.9,
        help="share of requests that are in the cache (default: %(default)s)",
    )
    parser.add_argument(
        "--popular",
        type=positive,
        default=20,
        help="pictures in the cache, asked for by Zipf's law (default: %(default)s)",
    )
    parser.add_argument(
        "--connections",
        type=positive,
        nargs="*",
        default=[1, 4, 16],
        help="closed loops with so many (default: 1 4 16)",
    )
    parser.add_argument(
        "--rates",
        type=positive_number,
        nargs="*",
        default=[],
        help="open loops with so many Poisson arrivals a second (default: none)",
    )
    parser.add_argument(
        "--limit",
        type=positive_number,
        default=1.0,
        help="seconds that a caption may take to count as good (default: %(default)s)",
    )
    parser.add_argument(
        "--sweep",
        type=positive,
        default=8,
        help="open loops in search of the highest rate that keeps the limit (default: %(default)s)",
    )


def plan(options: Namespace) -> Plan[LoadRow]:
    """Raises ModelUnavailable."""
    subject = chosen_subject(options)
    servers = 1 if options.url else len(options.servers)
    floors = len(references(options, subject))
    levels = len(options.connections) + len(options.rates) + options.sweep
    return Plan(
        benchmark="load",
        model=model_label(options, subject),
        threads=options.threads,
        settings={
            name: str(getattr(options, name))
            for name in ("size", "seconds", "hit_ratio", "popular", "limit")
        },
        total=floors + len(options.connections) + servers * levels,
        measure=lambda bar: synchronously(measure(options, subject, bar)),
        tables=figures.tables,
    )


async def measure(
    options: Namespace, subject: Subject | None, bar: Bar
) -> AsyncGenerator[LoadRow, None]:
    """Servers one after the other: under load each needs the machine for itself.

    Raises ModelDirectoryError, ServerUnavailable and WrongAnswer.
    """
    motifs = [draw(SIZES[options.size], index) for index in range(MOTIFS)]
    bar.say("captioning pictures without a server")
    directories = references(options, subject)
    known = reference_captions(directories, options.threads, motifs, (None,))
    bar.say("measuring what captions take at least")
    for floor in caption_floors(subject, directories, known.tokens, options.threads):
        yield floor
    with bare_server() as target:
        async with open_level(target, motifs, options, Verifier(known.captions)) as level:
            briefly = replace(level, seconds=min(FLOOR_SECONDS, level.seconds))
            for connections in options.connections:
                yield await measure_closed(briefly, connections)
    for name in ["server"] if options.url else options.servers:
        with ExitStack() as stack:
            bar.say(f"starting {name}")
            alone = Namespace(**{**vars(options), "servers": [name]})
            (target,) = start_servers(stack, alone, subject)
            async with open_level(target, motifs, options, Verifier(known.captions)) as level:
                async for point in measure_levels(level, options, bar):
                    yield point


@asynccontextmanager
async def open_level(
    target: Target, motifs: Sequence[Picture], options: Namespace, verifier: Verifier
) -> AsyncIterator[Level]:
    """With the popular pictures in the server's cache."""
    async with Client.open(target) as client:
        popular = await fill_cache(client, motifs, options.popular, verifier)
        traffic = Traffic(motifs, popular, options.hit_ratio, np.random.default_rng(0))
        yield Level(client, traffic, verifier, options.seconds)


async def measure_levels(
    level: Level, options: Namespace, bar: Bar
) -> AsyncGenerator[LoadPoint, None]:
    name = level.client.target.name
    throughput = 1.0
    for connections in options.connections:
        bar.say(f"{name}, {connections} connections")
        point = await measure_closed(level, connections)
        throughput = figures.throughput(point)
        yield point

    async def at(rate: float) -> LoadPoint:
        bar.say(f"{name}, {rate:.3g} requests a second")
        return await measure_open(level, rate)

    for rate in options.rates:
        yield await at(rate)
    async for point in sweep(at, throughput / 2, options.limit, options.sweep):
        yield point
