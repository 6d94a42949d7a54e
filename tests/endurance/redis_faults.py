"""What can happen to a Redis, each as a context that lasts as long as the fault."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from tests.server.valkey import Valkey

#: Seconds of a slow answer: over the server's --redis-timeout, and well under it.
TOO_SLOW, SLOW = 0.3, 0.02

GARBAGE = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"$-5\r\nx\r\n",
    b"$99999999999\r\n",
    b"*1\r\n" * 5000,
    b":5\r\n",
    b"$2\r\nhi\r\n",
    b"-LOADING Valkey is loading the dataset in memory\r\n",
)

Mode = Literal["faithful", "garbage", "too slow", "slow"]


class Proxy:
    """Stands between a server and its Valkey, and passes on what it gets, or worse."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._chance = random.Random(0)
        self._connections: set[asyncio.Future[None]] = set()
        self.mode: Mode = "faithful"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Gives the URL."""
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
        sending = asyncio.create_task(_pass_on(reader, to_valkey))
        try:
            while reply := await from_valkey.read(65536):
                writer.write(await self._spoilt(reply))
        except OSError:
            pass
        finally:
            sending.cancel()
            to_valkey.close()
            writer.close()

    async def _spoilt(self, reply: bytes) -> bytes:
        if self.mode == "garbage":
            return self._chance.choice([*GARBAGE, self._chance.randbytes(40)])
        if self.mode != "faithful":
            await asyncio.sleep(TOO_SLOW if self.mode == "too slow" else SLOW)
        return reply


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while sent := await reader.read(65536):
            writer.write(sent)
    writer.close()


@dataclass(frozen=True, slots=True)
class Redis:
    """What a fault happens to."""

    valkey: Valkey
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class Fault:
    """`opens` says whether the breaker has to open."""

    name: str
    lasting: Callable[[Redis], AbstractAsyncContextManager[None]]
    opens: bool = True
    by_proxy: bool = False


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
    """Again and again."""

    def restart() -> None:
        redis.valkey.kill()
        redis.valkey.start()

    async with repeated(restart, seconds=1.0):
        yield


@asynccontextmanager
async def wrong_type(redis: Redis) -> AsyncIterator[None]:
    """Every value there is becomes a list, again and again."""
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
    """The password is another one now, and connections end, of which a new one needs it."""
    client = redis.valkey.client()
    client.config_set("requirepass", "another")
    client.execute_command("CLIENT", "KILL", "SKIPME", "yes")
    yield
    redis.valkey.client("another").config_set("requirepass", "")


@asynccontextmanager
async def repeated(work: Callable[[], None], seconds: float) -> AsyncIterator[None]:
    """Do it at once, and again every so many seconds."""
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
    async def lasting(redis: Redis) -> AsyncIterator[None]:
        redis.valkey.client().execute_command(*begin)
        yield
        redis.valkey.client().execute_command(*end)

    return lasting


def proxied(mode: Mode) -> Callable[[Redis], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lasting(redis: Redis) -> AsyncIterator[None]:
        redis.proxy.mode = mode
        yield
        redis.proxy.mode = "faithful"

    return lasting


FAULTS = (
    Fault("killed", killed),
    Fault("stopped", stopped),
    Fault("restarted", restarted, opens=False),
    Fault(
        "out of memory",
        configured(("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        opens=False,
    ),
    Fault(
        "read-only replica",
        configured(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        opens=False,
    ),
    Fault("wrong type", wrong_type, opens=False),
    Fault("wrong password", wrong_password),
    Fault("garbage", proxied("garbage"), opens=False, by_proxy=True),
    Fault("too slow", proxied("too slow"), by_proxy=True),
    Fault("slow", proxied("slow"), opens=False, by_proxy=True),
)
