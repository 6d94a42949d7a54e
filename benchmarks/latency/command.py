"""How long one request takes that nothing competes with: cold, cached, and with a new prompt."""

import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

from benchmarks.floor.captions import caption_floors
from benchmarks.http.client import Answer, Client, Request, Target, prepare
from benchmarks.http.references import reference_captions
from benchmarks.http.servers import bare_server
from benchmarks.http.verification import Cache, Verifier
from benchmarks.latency import figures
from benchmarks.options import (
    add_server_arguments,
    chosen_subject,
    model_label,
    positive,
    references,
    start_servers,
)
from benchmarks.pictures import SIZES, Picture, draw
from benchmarks.plans import Plan, synchronously
from benchmarks.progress import Bar
from benchmarks.rows import Kind, LatencyRow, LatencySample
from benchmarks.subjects import Subject

PROMPT = "a picture of"


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a round, and where its answer has to come from."""

    kind: Kind
    request: Request
    cache: Cache


def add_arguments(parser: ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--hits", type=positive, default=20, help="repeats of each cold request")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))


def plan(options: Namespace) -> Plan[LatencyRow]:
    """Raises ModelUnavailable."""
    subject = chosen_subject(options)
    servers = 1 if options.url else len(options.servers)
    floors = len(references(options, subject))
    samples_a_size = servers * (options.hits + 2) + options.hits
    return Plan(
        benchmark="latency",
        model=model_label(options, subject),
        threads=options.threads,
        settings={"rounds": str(options.rounds), "hits": str(options.hits)},
        total=floors + options.rounds * len(options.sizes) * samples_a_size,
        measure=lambda bar: synchronously(measure(options, subject, bar)),
        tables=figures.tables,
    )


async def measure(
    options: Namespace, subject: Subject | None, bar: Bar
) -> AsyncGenerator[LatencyRow, None]:
    """Raises ModelDirectoryError, ServerUnavailable and WrongAnswer."""
    bar.say("drawing pictures")
    pictures = {name: draw(SIZES[name], 0) for name in options.sizes}
    bar.say("captioning them without a server")
    directories, drawn = references(options, subject), list(pictures.values())
    known = reference_captions(directories, options.threads, drawn, (None, PROMPT))
    bar.say("measuring what captions take at least")
    for floor in caption_floors(subject, directories, known.tokens, options.threads):
        yield floor
    with ExitStack() as stack:
        bar.say("starting servers")
        targets = start_servers(stack, options, subject)
        route = stack.enter_context(bare_server())
        bar.say("measuring")
        rounds = sample_rounds(
            targets, route, pictures, options.rounds, options.hits, Verifier(known.captions)
        )
        async for row in rounds:
            yield row


async def sample_rounds(
    targets: Sequence[Target],
    floor: Target,
    pictures: Mapping[str, Picture],
    rounds: int,
    hits: int,
    verifier: Verifier,
) -> AsyncGenerator[LatencySample, None]:
    """Servers in turn within each round, so that a drift of the machine meets all alike.

    The first round is not recorded: servers grow into their buffers in it. Raises
    ServerUnavailable and WrongAnswer.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(target)) for target in targets]
        bare = await stack.enter_async_context(Client.open(floor))
        for number in range(rounds + 1):
            for size, picture in pictures.items():
                steps = await steps_about(picture, hits)
                rows = [
                    row
                    for client in rotated(clients, number)
                    async for row in _ask_all(client, number, size, steps, verifier)
                ]
                rows += [
                    _row(number, bare, size, "floor", await bare.must_answer(steps[0].request))
                    for _ in range(hits)
                ]
                if number > 0:
                    for row in rows:
                        yield row


def rotated(clients: list[Client], by: int) -> list[Client]:
    start = by % len(clients)
    return clients[start:] + clients[:start]


async def steps_about(picture: Picture, hits: int) -> list[Step]:
    """The file is new to every cache in the world: its comment holds a number never used before."""
    serial = uuid.uuid4().hex
    cold = await prepare(picture, None, serial)
    return [
        Step("cold", cold, "MISS"),
        *(Step("cached", cold, "HIT") for _ in range(hits)),
        Step("new prompt", await prepare(picture, PROMPT, serial), "MISS"),
    ]


async def _ask_all(
    client: Client, number: int, size: str, steps: Sequence[Step], verifier: Verifier
) -> AsyncGenerator[LatencySample, None]:
    for step in steps:
        answer = await client.must_answer(step.request)
        verifier.check(client.target, step.request.question, answer, step.cache)
        yield _row(number, client, size, step.kind, answer)


def _row(number: int, client: Client, size: str, kind: Kind, answer: Answer) -> LatencySample:
    return LatencySample(
        number, client.target.name, size, kind, answer.seconds, dict(answer.phases)
    )
