"""One inference per key for replicas that share a Valkey, each in its own process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.cache.lease import Lease
from server.cache.redis_store import RedisStore
from server.cache.store import StoreRefused
from tests.server.serving import ServerProcess, server_process
from tests.server.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the file that the fake models wait for before they caption."""
    path = tmp_path / "gate"
    monkeypatch.setenv("FAKE_GATE", str(path))
    return path


@asynccontextmanager
async def replicas(valkey: Valkey, count: int) -> AsyncIterator[Sequence[ServerProcess]]:
    flags = ("--redis-url", valkey.url, "--redis-timeout", "5")
    with ExitStack() as stack:
        yield [stack.enter_context(server_process(*flags)) for _ in range(count)]


async def metric(client: httpx.AsyncClient, server: ServerProcess, name: str) -> float:
    answer = await client.get(f"{server.url}/metrics")
    samples = [s for f in text_string_to_metric_families(answer.text) for s in f.samples]
    return next(sample.value for sample in samples if sample.name == name)


async def callers(
    client: httpx.AsyncClient, server: ServerProcess, count: int
) -> list[asyncio.Task[httpx.Response]]:
    """Send requests for one picture. Return when all of them have reached the server."""
    url = f"{server.url}/caption"
    tasks = [asyncio.create_task(client.post(url, files={"image": b"new"})) for _ in range(count)]
    async with asyncio.timeout(30):
        while await metric(client, server, "caption_requests_in_flight") < count:
            pass
    return tasks


async def test_one_inference(valkey: Valkey, gate: Path) -> None:
    """A new picture from many clients of many replicas is inferred once."""
    async with (
        replicas(valkey, 4) as servers,
        httpx.AsyncClient(timeout=60) as client,
    ):
        waiting = [each for server in servers for each in await callers(client, server, 8)]
        await asyncio.to_thread(gate.touch)
        answers = await asyncio.gather(*waiting)

        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["caption"] for answer in answers} == {"3 bytes"}
        stated = sorted(answer.headers["x-cache"] for answer in answers)
        assert stated == ["COALESCED"] * 31 + ["MISS"]
        assert (
            sum([await metric(client, each, "caption_cache_misses_total") for each in servers]) == 1
        )
    assert valkey.client().keys("*:lease") == []


async def test_lease(valkey: Valkey) -> None:
    """A lease has one holder, only the holder can release it, and it expires by itself."""
    store = RedisStore(valkey.url, timeout=5.0)
    first, second = Lease(store, "key"), Lease(store, "key")
    assert await first.acquire()
    assert not await second.acquire()
    assert 0 < valkey.client().pttl("{key}:lease") <= 3000

    await second.release()
    assert not await second.acquire()

    await first.release()
    assert await second.acquire()
    await second.release()
    await store.aclose()


async def test_lease_with_look_up(valkey: Valkey) -> None:
    """The look-up takes the lease if there is no value, and storing the value releases it."""
    store = RedisStore(valkey.url, timeout=5.0)
    first, second = Lease(store, "key"), Lease(store, "key")
    assert await first.find_or_acquire() == (None, True)
    assert await second.find_or_acquire() == (None, False)

    await first.store_and_release(b"value", ttl_ms=5000)

    assert await second.find_or_acquire() == (b"value", False)
    assert valkey.client().keys() == [b"key"]
    assert 0 < valkey.client().pttl("key") <= 5000
    await store.aclose()


async def test_lease_over_a_refused_value(valkey: Valkey) -> None:
    """A store that is full refuses the value and releases the lease."""
    store = RedisStore(valkey.url, timeout=5.0)
    lease = Lease(store, "key")
    assert await lease.acquire()
    valkey.client().config_set("maxmemory", 1)

    with pytest.raises(StoreRefused, match="maxmemory"):
        await lease.store_and_release(b"value", ttl_ms=5000)

    assert valkey.client().keys() == []
    await store.aclose()


async def test_lost_lease(valkey: Valkey) -> None:
    """A value is stored also if the lease was lost, and the new holder's lease stays."""
    store = RedisStore(valkey.url, timeout=5.0)
    lease, other = Lease(store, "key"), Lease(store, "key")
    assert await lease.acquire()
    valkey.client().delete("{key}:lease")
    assert await other.acquire()

    await lease.store_and_release(b"value", ttl_ms=5000)

    assert valkey.client().get("key") == b"value"
    assert valkey.client().exists("{key}:lease")
    await other.release()
    await store.aclose()


async def test_foreign_lease(valkey: Valkey) -> None:
    """A value that is not a lease makes no replica wait, and stays in the store."""
    store = RedisStore(valkey.url, timeout=5.0)
    valkey.client().set("{key}:lease", b"another program's")

    assert await Lease(store, "key").acquire()

    assert valkey.client().get("{key}:lease") == b"another program's"
    await store.aclose()
