"""One level of load on one server, measured and verified."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

import numpy as np

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Answer, Client, Request, Target, prepare
from benchmarks.http.verification import Verifier, cache_of
from benchmarks.load.loops import Exchange, closed_loop, open_loop
from benchmarks.load.traffic import draw_ranks, poisson_arrivals
from benchmarks.pictures import Picture
from benchmarks.rows import LoadPoint


@dataclass(frozen=True, slots=True)
class Drawn:
    """A request, and whether it was captioned before the load began."""

    request: Request
    popular: bool


@dataclass(frozen=True, slots=True)
class Traffic:
    """Where requests come from: `popular` ones are in the server's cache, the rest is new."""

    motifs: Sequence[Picture]
    popular: Sequence[Request]
    hit_ratio: float
    rng: np.random.Generator

    def ranks(self) -> Iterator[int | None]:
        return draw_ranks(len(self.popular), self.hit_ratio, self.rng)

    async def request(self, rank: int | None, number: int) -> Drawn:
        if rank is not None:
            return Drawn(self.popular[rank], popular=True)
        motif = self.motifs[number % len(self.motifs)]
        return Drawn(await prepare(motif, None, uuid.uuid4().hex), popular=False)


@dataclass(frozen=True, slots=True)
class Level:
    """What levels of load on one server share; `seconds` is how long each lasts."""

    client: Client
    traffic: Traffic
    verifier: Verifier
    seconds: float

    async def send(self, drawn: Drawn) -> Answer:
        return await self.client.ask(drawn.request)


async def fill_cache(
    client: Client, motifs: Sequence[Picture], amount: int, verifier: Verifier
) -> list[Request]:
    """Have so many files captioned. Raises ServerUnavailable and WrongAnswer."""
    popular = []
    for index in range(amount):
        request = await prepare(motifs[index % len(motifs)], None, uuid.uuid4().hex)
        answer = await client.must_answer(request)
        verifier.check(client.target, request.question, answer, "MISS")
        popular.append(request)
    return popular


async def measure_closed(level: Level, connections: int) -> LoadPoint:
    """Raises WrongAnswer."""
    ranks = enumerate(level.traffic.ranks())

    async def draw() -> Drawn:
        number, rank = next(ranks)
        return await level.traffic.request(rank, number)

    began = asyncio.get_running_loop().time()
    exchanges = await closed_loop(level.send, draw, connections, level.seconds)
    seconds = asyncio.get_running_loop().time() - began
    return to_point(level, "closed", connections, seconds, exchanges)


async def measure_open(level: Level, rate: float) -> LoadPoint:
    """Raises WrongAnswer."""
    times = poisson_arrivals(rate, level.seconds, level.traffic.rng) or [0.0]
    ranks = islice(level.traffic.ranks(), len(times))
    items = [
        await level.traffic.request(rank, number)
        for rank, number in zip(ranks, count(), strict=False)
    ]
    began = asyncio.get_running_loop().time()
    exchanges = await open_loop(level.send, items, times)
    seconds = asyncio.get_running_loop().time() - began
    return to_point(level, "open", rate, seconds, exchanges)


def to_point(
    level: Level,
    loop: Literal["closed", "open"],
    amount: float,
    seconds: float,
    exchanges: Sequence[Exchange[Drawn, Answer]],
) -> LoadPoint:
    """Every caption verified. A popular one may miss: a busy cache costs hits, never a request.

    Raises WrongAnswer.
    """
    target = level.client.target
    captions = [each for each in exchanges if each.reply.status == 200]
    for each in captions:
        _verify(level.verifier, target, each)
    return LoadPoint(
        server=target.name,
        loop=loop,
        level=amount,
        seconds=seconds,
        latencies=tuple(each.latency for each in captions),
        statuses=dict(Counter(each.reply.status for each in exchanges)),
        hits=sum(cache_of(target, each.reply) == "HIT" for each in captions),
        expected_hits=sum(each.item.popular for each in captions),
    )


def _verify(verifier: Verifier, target: Target, exchange: Exchange[Drawn, Answer]) -> None:
    question = exchange.item.request.question
    verifier.check_caption(target, question, exchange.reply)
    if not exchange.item.popular and cache_of(target, exchange.reply) == "HIT":
        raise WrongAnswer(
            f"{target.name} answered {question} with HIT where it must be MISS: it can't know a "
            "file that was never sent before"
        )
