"""The requests of a load, their arrival times, and the open loop that sends them.

An open loop sends at scheduled times, as independent users do. Its latencies count from the
schedule, so a stall of the server is in them ("coordinated omission" would leave it out).
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.http.client import Client, Request, prepare
from benchmarks.http.verification import Verifier
from benchmarks.pictures import Picture
from benchmarks.rows import LoadPoint

#: Requests for web content follow Zipf's law with an exponent below 1 (Breslau et al., INFOCOM
#: 1999: 0.64 to 0.83).
ZIPF_EXPONENT = 0.8

Item = TypeVar("Item")
Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Traffic:
    """The source of requests: `cached` ones are in the server's cache, all others are new."""

    motifs: Sequence[Picture]
    cached: Sequence[Request]
    hit_ratio: float
    rng: np.random.Generator

    async def draw(self, amount: int) -> list[Request]:
        """Draw requests of cached files by Zipf's law, and of files that were never sent."""
        ranks = draw_ranks(amount, len(self.cached), self.rng)
        hits = self.rng.random(amount) < self.hit_ratio
        return [
            self.cached[rank] if hit else await new_request(self.motifs, number)
            for number, (rank, hit) in enumerate(zip(ranks, hits, strict=True))
        ]


async def new_request(motifs: Sequence[Picture], number: int) -> Request:
    """Return the upload of a file that was never sent."""
    return await prepare(motifs[number % len(motifs)], None, uuid.uuid4().hex)


def draw_ranks(amount: int, popular: int, rng: np.random.Generator) -> np.ndarray:
    """Draw popular ranks by Zipf's law; rank 0 is the most popular."""
    weights = np.arange(1, popular + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    return rng.choice(popular, size=amount, p=weights / weights.sum())


def poisson_arrivals(rate: float, seconds: float, rng: np.random.Generator) -> list[float]:
    """Draw the times in [0, seconds) of independent arrivals, `rate` a second on average.

    Given their number, which is Poisson distributed, the times are uniform.
    """
    return sorted(rng.uniform(0, seconds, rng.poisson(rate * seconds)).tolist())


async def open_loop(
    send: Callable[[Item], Awaitable[Reply]], items: Sequence[Item], times: Sequence[float]
) -> list[tuple[Item, Reply, float]]:
    """Send each item at its time, in seconds from now, and wait for the last reply.

    Returns items, replies, and latencies in seconds from the scheduled times.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def exchange(item: Item, due: float) -> tuple[Item, Reply, float]:
        await asyncio.sleep(max(0.0, due - loop.time()))
        reply = await send(item)
        return item, reply, loop.time() - due

    return await asyncio.gather(
        *(exchange(item, start + time) for item, time in zip(items, times, strict=True))
    )


async def fill_cache(
    client: Client, motifs: Sequence[Picture], amount: int, verifier: Verifier
) -> tuple[list[Request], float]:
    """Have a number of files captioned; return their requests and the mean seconds of each.

    Raises WrongAnswer.
    """
    requests, seconds = [], 0.0
    for index in range(amount):
        request = await new_request(motifs, index)
        answer = await client.ask(request)
        verifier.check(client.target, request.question, answer, "MISS")
        requests.append(request)
        seconds += answer.seconds
    return requests, seconds / amount


async def measure_point(
    client: Client, traffic: Traffic, verifier: Verifier, rate: float, seconds: float
) -> LoadPoint:
    """Send requests for some seconds and verify every caption. Raises WrongAnswer.

    A cached file may miss, because a busy cache costs hits and never a request. A new one must not
    hit.
    """
    clock = asyncio.get_running_loop().time
    times = poisson_arrivals(rate, seconds, traffic.rng) or [0.0]
    requests = await traffic.draw(len(times))
    began = clock()
    exchanges = await open_loop(client.ask, requests, times)
    elapsed = clock() - began
    captions = [each for each in exchanges if each[1].status == 200]
    for request, answer, _ in captions:
        caches = ("HIT", "MISS", "COALESCED") if request in traffic.cached else ("MISS",)
        verifier.check(client.target, request.question, answer, *caches)
    return LoadPoint(
        server=client.target.name,
        rate=rate,
        seconds=elapsed,
        latencies=tuple(latency for _, _, latency in captions),
        statuses=dict(Counter(answer.status for _, answer, _ in exchanges)),
        hits=sum(answer.cache == "HIT" for _, answer, _ in captions),
    )
