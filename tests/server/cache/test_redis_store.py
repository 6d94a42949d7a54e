"""Faults of a server become StoreErrors, and defects of our own do not."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from server.cache.redis_store import InvalidStoreUrl, RedisStore
from server.cache.store import StoreError, StoreRefused, StoreUnreachable
from tests.server.cache.lying_redis import answering, random_reply, reset
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

#: uvloop, on which the server runs, raises other exceptions for a lost connection than asyncio.
both_loops = pytest.mark.parametrize(
    "anyio_backend",
    [("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})],
    ids=["asyncio", "uvloop"],
)

REPLIES = 2000


async def use(store: RedisStore, chance: random.Random) -> None:
    """Run one operation of those that requests use."""
    operation = chance.randrange(6)
    if operation == 0:
        answer = await store.get("key")
        assert answer is None or isinstance(answer, bytes)
    elif operation == 1:
        await store.set("key", b"value", ttl_ms=5)
    elif operation == 2:
        answer = await store.claim("key", b"value", ttl_ms=5)
        assert answer is None or isinstance(answer, bytes)
    elif operation == 3:
        await store.remove("key", b"value")
    elif operation == 4:
        for answer in await store.find_or_claim("key", "claim", b"value", ttl_ms=5):
            assert answer is None or isinstance(answer, bytes)
    else:
        await store.set_and_remove("key", b"value", 5, "claim", b"value")


@both_loops
@pytest.mark.parametrize("credentials", ["", "user:password@"])
async def test_random_replies(credentials: str) -> None:
    """An operation that gets any of 2,000 random replies succeeds or raises a StoreError."""
    chance = random.Random(0)
    outcomes: Counter[str] = Counter()

    def answer(writer: asyncio.StreamWriter) -> None:
        outcomes["replies"] += 1
        writer.write(random_reply(chance))
        # Connections that stay open cost a timeout for each incomplete reply, so there are few.
        ending = chance.random()
        if ending < 0.45:
            reset(writer)
        elif ending < 0.9:
            writer.close()

    async with answering(answer) as address:
        store = RedisStore(f"redis://{credentials}{address}", timeout=0.03)
        while outcomes["replies"] < REPLIES:
            try:
                await use(store, chance)
                outcomes["successes"] += 1
            except StoreError as exc:
                outcomes[type(exc).__name__] += 1
            # The event loop sees how the peer ended the connection before the next operation.
            for _ in range(3):
                await asyncio.sleep(0)
        with suppress(StoreError):
            await store.aclose()

    assert outcomes["StoreUnreachable"] > 100
    assert outcomes["StoreRefused"] > 10


@both_loops
async def test_reset_of_an_idle_connection() -> None:
    """A connection that the server resets while it is idle makes the store unreachable."""

    def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"$2\r\nhi\r\n")
        asyncio.get_running_loop().call_later(0.001, reset, writer)

    async def get_until_it_fails(store: RedisStore) -> None:
        while True:
            assert await store.get("key") == b"hi"
            await asyncio.sleep(0.005)

    async with answering(answer) as address, asyncio.timeout(30):
        store = RedisStore(f"redis://{address}", timeout=5.0)
        with pytest.raises(StoreUnreachable):
            await get_until_it_fails(store)
        with suppress(StoreError):
            await store.aclose()


async def test_refusal(valkey: Valkey) -> None:
    """An error that the server answers is a refusal, with the server's reason."""
    valkey.client().rpush("key", "a", "b")
    store = RedisStore(valkey.url, timeout=5.0)

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await store.get("key")
    await store.aclose()


async def test_timeout_names_the_limit() -> None:
    """A server that does not answer in time is unreachable, and the error names the limit."""
    async with answering(lambda writer: None) as address:
        store = RedisStore(f"redis://{address}", timeout=0.02)
        with pytest.raises(StoreUnreachable, match=r"no answer within 0\.02 s"):
            await store.get("key")
        await store.aclose()


async def test_value_that_redis_cannot_hold(valkey: Valkey) -> None:
    """A value of a wrong type is a defect of the caller, not a fault of the store."""
    store = RedisStore(valkey.url, timeout=5.0)
    wrong: Any = object()

    with pytest.raises(Exception, match="Invalid input of type") as raised:
        await store.set("key", wrong, ttl_ms=5)
    assert not isinstance(raised.value, StoreError)
    await store.aclose()


@pytest.mark.parametrize("defect", [AttributeError, TypeError, KeyError, NameError, AssertionError])
async def test_defect(
    defect: type[Exception], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that no fault of a server raises is not translated."""

    async def fail(*arguments: object) -> None:
        raise defect("a defect")

    store = RedisStore(valkey.url, timeout=5.0)
    monkeypatch.setattr("redis.asyncio.Redis.get", fail)

    with pytest.raises(defect):
        await store.get("key")
    await store.aclose()


async def test_late_probe() -> None:
    """A server whose answers come too late for a request does not count as recovered."""

    def answer(writer: asyncio.StreamWriter) -> None:
        asyncio.get_running_loop().call_later(0.1, writer.write, b"$-1\r\n")

    async with answering(answer) as address:
        store = RedisStore(f"redis://{address}", timeout=0.02)
        with pytest.raises(StoreUnreachable):
            await store.probe()
        await store.aclose()


async def test_unknown_option_in_the_url() -> None:
    """A URL with an option that redis-py does not know is refused before any connection."""
    with pytest.raises(InvalidStoreUrl, match="colour"):
        RedisStore("redis://127.0.0.1:1?colour=red", timeout=5.0)
