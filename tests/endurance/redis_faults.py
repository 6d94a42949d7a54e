"""Faults of a Redis, each as a context manager that causes it on entry and ends it on exit."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from tests.server.cache.lying_redis import random_reply
from tests.server.valkey import Valkey

#: Seconds by which replies are delayed: more than the server's --redis-timeout, and well under it.
TOO_SLOW, SLOW = 0.3, 0.02

Mode = Literal["unchanged", "garbage", "too slow", "slow"]


class Proxy:
    """A TCP proxy before a Valkey. `mode` says whether it delays or replaces replies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._chance = random.Random(0)
        self._connections: set[asyncio.Future[None]] = set()
        self.mode: Mode = "unchanged"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Accept connections on a free port, and yield the URL."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        try:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._relay(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_valkey, to_valkey = await asyncio.open_connection("127.0.0.1", self._port)
        requests = asyncio.create_task(_forward(reader, to_valkey))
        try:
            while reply := await from_valkey.read(65536):
                writer.write(await self._altered(reply))
        except OSError:
            pass
        finally:
            requests.cancel()
            to_valkey.close()
            writer.close()

    async def _altered(self, reply: bytes) -> bytes:
        if self.mode == "garbage":
            return random_reply(self._chance)
        if self.mode != "unchanged":
            await asyncio.sleep(TOO_SLOW if self.mode == "too slow" else SLOW)
        return reply


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@dataclass(frozen=True, slots=True)
class Redis:
    """The Valkey of a test, and the proxy before it."""

    valkey: Valkey
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class Fault:
    """`opens_breaker` says whether the circuit breaker has to open while the fault lasts."""

    name: str
    inject: Callable[[Redis], AbstractAsyncContextManager[None]]
    opens_breaker: bool = True
    needs_proxy: bool = False


@asynccontextmanager
async def killed(redis: Redis) -> AsyncIterator[None]:
    await asyncio.to_thread(redis.valkey.kill)
    yield
    await asyncio.to_thread(redis.valkey.start)


@asynccontextmanager
async def stopped(redis: Redis) -> AsyncIterator[None]:
    with redis.valkey.hung():
        yield


@asynccontextmanager
async def restarted(redis: Redis) -> AsyncIterator[None]:
    """Kill and start the Valkey once a second."""

    def restart() -> None:
        redis.valkey.kill()
        redis.valkey.start()

    async with repeated(restart, seconds=1.0):
        yield


@asynccontextmanager
async def wrong_type(redis: Redis) -> AsyncIterator[None]:
    """Replace every value by a list, ten times a second."""
    client = redis.valkey.client()

    def spoil() -> None:
        for key in client.keys("cap:v1:*"):
            pipeline = client.pipeline()
            pipeline.delete(key)
            pipeline.rpush(key, "a", "b")
            pipeline.execute()

    async with repeated(spoil, seconds=0.1):
        yield
    await asyncio.to_thread(client.flushall)


@asynccontextmanager
async def wrong_password(redis: Redis) -> AsyncIterator[None]:
    """Change the password and close all connections, so that each new one needs it."""
    client = redis.valkey.client()
    client.config_set("requirepass", "another")
    client.execute_command("CLIENT", "KILL", "SKIPME", "yes")
    yield
    redis.valkey.client("another").config_set("requirepass", "")


@asynccontextmanager
async def repeated(work: Callable[[], None], seconds: float) -> AsyncIterator[None]:
    """Run `work` at once, and again each time that `seconds` have passed."""
    over = asyncio.Event()

    async def repeat() -> None:
        while not over.is_set():
            await asyncio.to_thread(work)
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), seconds)

    task = asyncio.create_task(repeat())
    yield
    over.set()
    await task


def configured(
    begin: tuple[str, ...], end: tuple[str, ...]
) -> Callable[[Redis], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def inject(redis: Redis) -> AsyncIterator[None]:
        redis.valkey.client().execute_command(*begin)
        yield
        redis.valkey.client().execute_command(*end)

    return inject


def proxied(mode: Mode) -> Callable[[Redis], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def inject(redis: Redis) -> AsyncIterator[None]:
        redis.proxy.mode = mode
        yield
        redis.proxy.mode = "unchanged"

    return inject


FAULTS = (
    Fault("killed", killed),
    Fault("stopped", stopped),
    Fault("restarted", restarted, opens_breaker=False),
    Fault(
        "out of memory",
        configured(("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        opens_breaker=False,
    ),
    Fault(
        "read-only replica",
        configured(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        opens_breaker=False,
    ),
    Fault("wrong type", wrong_type, opens_breaker=False),
    Fault("wrong password", wrong_password),
    Fault("garbage", proxied("garbage"), opens_breaker=False, needs_proxy=True),
    Fault("too slow", proxied("too slow"), needs_proxy=True),
    Fault("slow", proxied("slow"), opens_breaker=False, needs_proxy=True),
)
