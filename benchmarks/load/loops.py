"""The two ways to load a server.

A closed loop sends the next request when the last one is answered: it shows what a server can do,
and slows down with it. An open loop sends when the schedule says, as the world does; its latencies
count from then, so that time in which a stalled server keeps requests waiting is not left out
("coordinated omission").
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Reply = TypeVar("Reply")

Send = Callable[[Item], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Exchange(Generic[Item, Reply]):
    """`latency` in seconds, from when the item was to be sent."""

    item: Item
    reply: Reply
    latency: float


async def closed_loop(
    send: Send[Item, Reply],
    draw: Callable[[], Awaitable[Item]],
    connections: int,
    seconds: float,
) -> list[Exchange[Item, Reply]]:
    """Send for `seconds` over so many connections, and wait for the last answers.

    No clock runs while the next item is drawn.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    exchanges: list[Exchange[Item, Reply]] = []

    async def connection() -> None:
        while loop.time() < end:
            item = await draw()
            began = loop.time()
            reply = await send(item)
            exchanges.append(Exchange(item, reply, loop.time() - began))

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(connection())
    return exchanges


async def open_loop(
    send: Send[Item, Reply], items: Sequence[Item], times: Sequence[float]
) -> list[Exchange[Item, Reply]]:
    """Send each item at its time, in seconds from now, and wait for the last answers."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def exchange(item: Item, intended: float) -> Exchange[Item, Reply]:
        await asyncio.sleep(max(0.0, intended - loop.time()))
        reply = await send(item)
        return Exchange(item, reply, loop.time() - intended)

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(exchange(item, start + time))
            for item, time in zip(items, times, strict=True)
        ]
    return [task.result() for task in tasks]
