"""One rate of requests on one server, in an open loop, measured and verified.

An open loop sends at scheduled times, as independent users do. Its latencies count from the
schedule, so a stall of the server is in them ("coordinated omission" would leave it out).
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from benchmarks.http.client import Client, Request, prepare
from benchmarks.http.verification import Verifier, cache_of
from benchmarks.load.traffic import Traffic, poisson_arrivals
from benchmarks.pictures import Picture
from benchmarks.rows import LoadPoint

Item = TypeVar("Item")
Reply = TypeVar("Reply")


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

    Raises Unavailable and WrongAnswer.
    """
    requests, seconds = [], 0.0
    for index in range(amount):
        request = await prepare(motifs[index % len(motifs)], None, uuid.uuid4().hex)
        answer = await client.must_answer(request)
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
    target, clock = client.target, asyncio.get_running_loop().time
    times = poisson_arrivals(rate, seconds, traffic.rng) or [0.0]
    requests = await traffic.draw(len(times))
    began = clock()
    exchanges = await open_loop(client.ask, requests, times)
    elapsed = clock() - began
    captions = [each for each in exchanges if each[1].status == 200]
    for request, answer, _ in captions:
        check = verifier.check_caption if request in traffic.cached else verifier.check_new
        check(target, request.question, answer)
    return LoadPoint(
        server=target.name,
        rate=rate,
        seconds=elapsed,
        latencies=tuple(latency for _, _, latency in captions),
        statuses=dict(Counter(answer.status for _, answer, _ in exchanges)),
        hits=sum(cache_of(target, answer) == "HIT" for _, answer, _ in captions),
    )
