"""Redis or Valkey as a store of bytes, with every fault turned into one of two errors, in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

#: More connections than requests in flight help nobody: one operation takes well under 1 ms.
MAX_CONNECTIONS = 32

#: A first connection may need name resolution, TLS and a password exchange.
PROBE_TIMEOUT = 1.0


# Each is one step for the store, so that no other client comes between its commands.
_CLAIM = (
    "redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) return redis.call('GET', KEYS[1])"
)
_IF_STILL = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call({}) end"
_EXTEND = _IF_STILL.format("'PEXPIRE', KEYS[1], ARGV[2]")
_REMOVE = _IF_STILL.format("'DEL', KEYS[1]")


class StoreError(Exception):
    """The store did not do what it was asked."""


class StoreRefused(StoreError):
    """The store answered, with an error: out of memory, read-only, wrong type of value."""


class StoreUnreachable(StoreError):
    """The store is absent, silent, too slow, wants a password, or talks nonsense."""


class RedisStore:
    """One operation is one attempt of at most `timeout` seconds, waiting for a connection included.

    Raises StoreRefused or StoreUnreachable, and nothing else.
    """

    def __init__(self, url: str, timeout: float) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=timeout,
            # Every operation has a limit as a whole; one more on each half costs a task and timers.
            socket_timeout=None,
            socket_connect_timeout=PROBE_TIMEOUT,
            # redis-py's own default retries ten times, which takes seconds.
            retry=Retry(NoBackoff(), 0),
            # RESP2 and no driver info: a new connection is then usable without a round trip.
            protocol=2,
            driver_info=None,
        )
        self._client = Redis.from_pool(pool)
        self._timeout = timeout

    async def get(self, key: str) -> bytes | None:
        async with _translated(self._timeout):
            value = await self._client.get(key)
        # A store that lies may answer with any type.
        return value if isinstance(value, bytes) else None

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        async with _translated(self._timeout):
            await self._client.set(key, value, px=ttl_ms)

    async def claim(self, key: str, value: bytes, ttl_ms: int) -> bytes | None:
        """Put a value where there is none; the value that is there then."""
        async with _translated(self._timeout):
            held = await self._client.eval(_CLAIM, 1, key, value, ttl_ms)
        return held if isinstance(held, bytes) else None

    async def extend(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Let a value live on, if it is still this one."""
        async with _translated(self._timeout):
            await self._client.eval(_EXTEND, 1, key, value, ttl_ms)

    async def remove(self, key: str, value: bytes) -> None:
        """Remove a value, if it is still this one."""
        async with _translated(self._timeout):
            await self._client.eval(_REMOVE, 1, key, value)

    async def probe(self) -> None:
        """Do what a look-up does, in its time; before that there is time to build a connection."""
        async with _translated(PROBE_TIMEOUT):
            await self._client.get("cap:probe")
        # A store that answers the first one late would be taken for recovered, again and again.
        await self.get("cap:probe")

    async def aclose(self) -> None:
        async with _translated(PROBE_TIMEOUT):
            await self._client.aclose()


@asynccontextmanager
async def _translated(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except ResponseError as exc:
        # Without the place in a script, so that one reason has one message.
        raise StoreRefused(str(exc).partition(" script: ")[0]) from exc
    # Not only RedisError: nonsense on the wire gives ValueError, RecursionError and others.
    except Exception as exc:
        raise StoreUnreachable(str(exc) or type(exc).__name__) from exc
