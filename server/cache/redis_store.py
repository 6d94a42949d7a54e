"""A Store in Redis or Valkey. Each operation ends in time, and fails with a StoreError only."""

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import DataError, RedisError, ResponseError

from server.cache.store import StoreRefused, StoreUnreachable

#: One operation takes well under 1 ms, so more connections would add no throughput.
MAX_CONNECTIONS = 32

#: Seconds. A first connection may need name resolution, TLS and a password exchange.
PROBE_TIMEOUT = 1.0

#: What redis-py raises when the peer is absent, resets the connection or sends something else than
#: RESP. ValueError: a length or an integer that is not a number, a line over 64 KiB. RuntimeError:
#: RecursionError for nested arrays; uvloop's write to a connection that the peer has reset.
#: tests/server/cache/test_redis_store.py searches for others with random replies.
_PEER_ERRORS = (RedisError, OSError, ValueError, RuntimeError)

# A script is atomic: no command of another client runs between its commands.
_CLAIM = (
    "redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) return redis.call('GET', KEYS[1])"
)
_FIND_OR_CLAIM = """
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'string' then return {found, false} end
redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
return {false, redis.call('GET', KEYS[2])}
"""
_SET_AND_REMOVE = """
local stored = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[3] then redis.call('DEL', KEYS[2]) end
return stored
"""
_IF_EQUAL = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call({}) end"
_EXTEND = _IF_EQUAL.format("'PEXPIRE', KEYS[1], ARGV[2]")
_REMOVE = _IF_EQUAL.format("'DEL', KEYS[1]")


class InvalidStoreUrl(Exception):
    """The URL of the store has an option that the Redis client rejects."""


class RedisStore:
    """A Redis or Valkey server.

    Each operation is one attempt of at most `timeout` seconds, the wait for a free connection
    included. It raises StoreRefused or StoreUnreachable for every fault of the server. The
    constructor opens no connection, and raises InvalidStoreUrl.
    """

    def __init__(self, url: str, timeout: float) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=timeout,
            # `_attempt` limits each operation as a whole. Limits on reading and writing would add
            # a task and timers to each.
            socket_timeout=None,
            socket_connect_timeout=PROBE_TIMEOUT,
            # By default redis-py retries ten times, which takes seconds.
            retry=Retry(NoBackoff(), 0),
            # With RESP2 and without driver info, a new connection needs no round trip before use.
            protocol=2,
            driver_info=None,
        )
        try:
            # redis-py checks the options of the URL's query only here.
            pool.make_connection()  # type: ignore[no-untyped-call]
        except (TypeError, ValueError, RedisError) as exc:
            raise InvalidStoreUrl(str(exc)) from exc
        self._client = Redis.from_pool(pool)
        self._timeout = timeout

    async def get(self, key: str) -> bytes | None:
        return _bytes_or_none(await self._attempt(self._client.get(key)))

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        await self._attempt(self._client.set(key, value, px=ttl_ms))

    async def claim(self, key: str, value: bytes, ttl_ms: int) -> bytes | None:
        return _bytes_or_none(await self._attempt(self._run(_CLAIM, [key], value, ttl_ms)))

    async def find_or_claim(
        self, key: str, claim_key: str, value: bytes, ttl_ms: int
    ) -> tuple[bytes | None, bytes | None]:
        script = self._run(_FIND_OR_CLAIM, [key, claim_key], value, ttl_ms)
        match await self._attempt(script):
            case [found, holder]:
                return _bytes_or_none(found), _bytes_or_none(holder)
        return None, None

    async def set_and_remove(
        self, key: str, value: bytes, ttl_ms: int, claim_key: str, claimed: bytes
    ) -> None:
        keys = [key, claim_key]
        await self._attempt(self._run(_SET_AND_REMOVE, keys, value, ttl_ms, claimed))

    async def extend(self, key: str, value: bytes, ttl_ms: int) -> None:
        await self._attempt(self._run(_EXTEND, [key], value, ttl_ms))

    async def remove(self, key: str, value: bytes) -> None:
        await self._attempt(self._run(_REMOVE, [key], value))

    async def probe(self) -> None:
        """Look a key up twice: once with time to connect, then within the operation's timeout.

        Without the second look-up, a store that always answers too late would count as recovered.
        """
        await self._attempt(self._client.get("cap:probe"), PROBE_TIMEOUT)
        await self.get("cap:probe")

    async def aclose(self) -> None:
        await self._attempt(self._client.aclose(), PROBE_TIMEOUT)

    def _run(self, script: str, keys: list[str], *arguments: bytes | int) -> Awaitable[object]:
        # redis-py declares the arguments of a script as text; it encodes bytes and numbers too.
        given = cast(Any, (*keys, *arguments))
        return cast(Awaitable[object], self._client.eval(script, len(keys), *given))

    async def _attempt(self, call: Awaitable[object], limit: float | None = None) -> object:
        """Await one call of redis-py, and translate what the server can make it raise.

        Only redis-py and the transport run inside, so that no defect of our own is translated.
        `limit` is in seconds, by default the timeout of an operation.
        """
        limit = limit or self._timeout
        try:
            async with asyncio.timeout(limit):
                return await call
        except ResponseError as exc:
            # The position in a script would make one reason many messages.
            raise StoreRefused(str(exc).partition(" script: ")[0]) from exc
        except DataError:  # The caller passed a value that Redis cannot hold.
            raise
        except TimeoutError as exc:
            raise StoreUnreachable(f"no answer within {limit:g} s") from exc
        except _PEER_ERRORS as exc:
            raise StoreUnreachable(str(exc) or type(exc).__name__) from exc


def _bytes_or_none(answer: object) -> bytes | None:
    """Return the answer if it is a value. A faulty server may answer with any type."""
    return answer if isinstance(answer, bytes) else None
