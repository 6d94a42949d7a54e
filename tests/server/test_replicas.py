"""One inference per key among servers that share a Valkey, each in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.cache.lease import Lease
from server.cache.redis_store import RedisStore
from tests.server.serving import ServerProcess, server_process
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file without which no caption comes."""
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
    """Requests for one picture, once the server has all of them."""
    url = f"{server.url}/caption"
    tasks = [asyncio.create_task(client.post(url, files={"image": b"new"})) for _ in range(count)]
    async with asyncio.timeout(30):
        while await metric(client, server, "caption_requests_in_flight") < count:
            pass
    return tasks


async def test_one_inference(valkey: Valkey, gate: Path) -> None:
    """A new picture that many clients send to many replicas is inferred once."""
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
    """A lease has one holder, who alone gives it back, and it expires by itself."""
    store = RedisStore(valkey.url, timeout=5.0)
    first, second = Lease(store, "key"), Lease(store, "key")
    assert not await first.is_elsewhere()
    assert await second.is_elsewhere()
    assert 0 < valkey.client().pttl("key:lease") <= 3000

    await second.release()
    assert await second.is_elsewhere()

    await first.release()
    assert not await second.is_elsewhere()
    await second.release()
    await store.aclose()


async def test_foreign_lease(valkey: Valkey) -> None:
    """Something else where the lease should be keeps nobody waiting."""
    store = RedisStore(valkey.url, timeout=5.0)
    valkey.client().set("key:lease", b"somebody else's")

    assert not await Lease(store, "key").is_elsewhere()

    assert valkey.client().get("key:lease") == b"somebody else's"
    await store.aclose()
