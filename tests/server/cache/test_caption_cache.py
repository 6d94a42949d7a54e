"""Cache hits and misses with a real Valkey, and with every fault of it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.cache import codec
from server.cache.redis_store import RedisStore
from server.errors import StartupError
from tests.server.cache.lying_redis import answering
from tests.server.fakes import FakeModel
from tests.server.serving import App, app
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio


def cached_app(valkey: Valkey, **options: Any) -> AbstractAsyncContextManager[App]:
    # A busy test machine is slow too. The tests of hanging stores set a short timeout.
    return app(**{"redis_url": valkey.url, "redis_timeout": 5.0, **options})


async def status(served: App, image: bytes = b"picture") -> str:
    """Caption a picture, and return how the cache took part."""
    answer = await served.caption(image)
    assert answer.status_code == 200, answer.text
    assert answer.json()["cached"] == (answer.headers["x-cache"] == "HIT")
    return str(answer.headers["x-cache"])


async def errors(served: App) -> float:
    """Return the number of cache operations that failed so far."""
    text = (await served.client.get("/metrics")).text
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    return next(s.value for s in samples if s.name == "caption_cache_errors_total")


async def recovered(served: App) -> None:
    """Send one request after the other until one is a hit; fail after 30 s.

    tests/endurance measures how soon hits are back.
    """
    async with asyncio.timeout(30):
        while await status(served) != "HIT":
            pass


async def test_second_upload_is_a_hit(valkey: Valkey) -> None:
    """A repeated request is a hit: it gets the same caption without inference."""
    async with cached_app(valkey) as served:
        first = await served.caption(fields={"prompt": "a cat"})
        second = await served.caption(fields={"prompt": "a cat"})

        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
        assert second.json() == {**first.json(), "cached": True}
        assert served.captioner.inferences == 1


async def test_a_hit_has_no_inference_phases(valkey: Valkey) -> None:
    """Server-Timing of a hit has the phases of reading and look-up only."""
    async with cached_app(valkey) as served:
        await served.caption()
        timing = (await served.caption()).headers["server-timing"]

        assert [entry.split(";")[0] for entry in timing.split(", ")] == ["read", "cache"]


async def test_entries_outlive_the_server(valkey: Valkey) -> None:
    """A caption of one server is a hit for a later server, if that has the same model."""
    async with cached_app(valkey) as served:
        await served.caption()

    async with cached_app(valkey) as served:
        assert await status(served) == "HIT"
    async with cached_app(valkey, captioner=FakeModel(digest="another model")) as served:
        assert await status(served) == "MISS"


async def test_exact_decode_has_entries_of_its_own(valkey: Valkey) -> None:
    """A caption from a reduced JPEG is a miss for a server that decodes JPEGs in full."""
    async with cached_app(valkey) as served:
        await served.caption()

    async with cached_app(valkey, captioner=FakeModel(exact_decode=True)) as served:
        assert await status(served) == "MISS"


async def test_bypass(valkey: Valkey) -> None:
    """A request with Cache-Control: no-cache is inferred and overwrites the entry."""
    async with cached_app(valkey) as served:
        await served.caption()
        (key,) = valkey.client().keys("cap:v1:*")
        valkey.client().set(key, b"old")

        answer = await served.caption(headers={"cache-control": "max-age=0, No-Cache"})

        assert answer.headers["x-cache"] == "BYPASS"
        assert answer.json()["cached"] is False
        assert await status(served) == "HIT"


async def test_entries_expire(valkey: Valkey) -> None:
    """Every entry has a time to live within a tenth of --cache-ttl, and they differ."""
    async with cached_app(valkey, cache_ttl=1000) as served:
        for number in range(20):
            await served.caption(b"%d" % number)

    ttls = [valkey.client().pttl(key) / 1000 for key in valkey.client().keys("cap:v1:*")]
    assert all(890 < ttl <= 1100 for ttl in ttls)
    assert max(ttls) - min(ttls) > 50


async def test_errors_are_not_cached(valkey: Valkey) -> None:
    """A picture that failed is inferred again when it is sent again."""
    async with cached_app(valkey) as served:
        for _ in range(2):
            assert (await served.caption(b"cut")).status_code == 422

        assert served.captioner.inferences == 2
        assert valkey.client().keys("cap:v1:*") == []


def put_string(valkey: Valkey, key: bytes) -> None:
    valkey.client().set(key, b"a value of another program")


def put_list(valkey: Valkey, key: bytes) -> None:
    valkey.client().delete(key)
    valkey.client().rpush(key, "a", "b")


def put_other_entry(valkey: Valkey, key: bytes) -> None:
    (other,) = set(valkey.client().keys("cap:v1:*")) - {key}
    valkey.client().copy(other, key, replace=True)


def put_older_fields(valkey: Valkey, key: bytes) -> None:
    payload = b'{"text": "a cat", "token_ids": [7], "confidence": 0.5}'
    value = codec.VERSION + codec._seal(key.decode(), payload) + payload
    valkey.client().set(key, value)


@pytest.mark.parametrize("spoil", [put_string, put_list, put_other_entry, put_older_fields])
async def test_wrong_value(valkey: Valkey, spoil: Callable[[Valkey, bytes], None]) -> None:
    """A value that is not this request's caption is a miss, and is overwritten."""
    async with cached_app(valkey) as served:
        await served.caption()
        (key,) = valkey.client().keys("cap:v1:*")
        await served.caption(b"another picture")
        spoil(valkey, key)

        answer = await served.caption()

        assert (answer.headers["x-cache"], answer.json()["caption"]) == ("MISS", "7 bytes")
        assert await status(served) == "HIT"


async def test_absent_at_start(valkey: Valkey) -> None:
    """A server whose Redis is absent starts, captions, and uses the Redis once it is there."""
    valkey.kill()
    async with cached_app(valkey) as served:
        assert await status(served) == "MISS"
        assert await status(served) == "MISS"

        valkey.start()

        await recovered(served)


async def test_killed_and_back(valkey: Valkey) -> None:
    """A Redis that is killed fails no request, and is used again soon after it is back."""
    async with cached_app(valkey) as served:
        await served.caption()
        valkey.kill()

        for _ in range(20):
            assert await status(served) == "MISS"
        valkey.start()

        await recovered(served)


async def test_hung_and_back(valkey: Valkey) -> None:
    """A Redis that hangs costs three timeouts in all, and is used again when it answers."""
    async with cached_app(valkey, redis_timeout=0.1) as served:
        await served.caption()
        before = await errors(served)
        with valkey.hung():
            for _ in range(30):
                assert await status(served) == "MISS"
            assert await errors(served) - before <= 3

        await recovered(served)


async def test_hung_costs_one_timeout(valkey: Valkey) -> None:
    """A request waits for a hanging Redis once, not once for each operation."""
    async with cached_app(valkey, redis_timeout=1.0) as served:
        with valkey.hung():
            assert await status(served) == "MISS"
            assert await errors(served) == 1


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
    """A Redis that is full or read-only still gives hits, and its refusal is logged once."""
    async with cached_app(valkey) as served:
        await served.caption(b"before")
        valkey.client().execute_command(*fault)

        for _ in range(5):
            assert await status(served, b"after") == "MISS"

        assert await status(served, b"before") == "HIT"
        assert caplog.text.count("refuses") == 1


async def test_no_scripts(valkey: Valkey) -> None:
    """A Redis that allows no scripts gives hits and stores captions."""
    valkey.client().execute_command("ACL", "SETUSER", "default", "-@scripting")
    async with cached_app(valkey) as served:
        assert [await status(served), await status(served)] == ["MISS", "HIT"]
    valkey.client().execute_command("ACL", "SETUSER", "default", "+@scripting")


async def test_round_trips(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A miss takes two round trips to Redis in sequence, and a hit takes one."""
    attempts = 0
    attempt = RedisStore._attempt

    async def count(self: RedisStore, *arguments: Any) -> object:
        nonlocal attempts
        attempts += 1
        return await attempt(self, *arguments)

    async with cached_app(valkey) as served:
        monkeypatch.setattr(RedisStore, "_attempt", count)
        assert (await status(served), attempts) == ("MISS", 2)
        assert (await status(served), attempts) == ("HIT", 3)


async def test_wrong_password(valkey: Valkey) -> None:
    """A Redis that rejects the password counts as unreachable until it accepts it."""
    valkey.client().config_set("requirepass", "right")
    async with app(redis_url=f"redis://:wrong@127.0.0.1:{valkey.port}") as served:
        assert await status(served) == "MISS"
        assert await status(served) == "MISS"

        valkey.client(password="right").config_set("requirepass", "wrong")

        await recovered(served)


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
async def test_nonsense(reply: bytes) -> None:
    """A server that is not a Redis, or answers nonsense, fails no request."""
    async with (
        answering(lambda writer: writer.write(reply)) as address,
        app(redis_url=f"redis://{address}", redis_timeout=0.1) as served,
    ):
        for number in range(5):
            answer = await served.caption(b"picture %d" % number)

            assert answer.status_code == 200
            assert answer.headers["x-cache"] == "MISS"


async def test_defect(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in a cache operation is a 500 with its traceback in the log, not a miss."""

    async def fail(*arguments: object) -> None:
        raise AttributeError("a defect")

    async with cached_app(valkey) as served:
        monkeypatch.setattr("redis.asyncio.Redis.eval", fail)
        answer = await served.caption()

        assert (answer.status_code, answer.json()["error_type"]) == (500, "internal_error")
        assert "AttributeError: a defect" in caplog.text


async def test_unknown_option_in_the_redis_url() -> None:
    """A --redis-url with an unknown option ends the start. The error names it."""
    with pytest.raises(StartupError, match=r"^--redis-url .*'colour'") as raised:
        async with app(redis_url="redis://:secret@127.0.0.1:1?colour=red"):
            pass
    assert "secret" not in str(raised.value)


async def test_no_cache() -> None:
    """With --no-cache every request is inferred."""
    async with app(no_cache=True) as served:
        assert [await status(served), await status(served)] == ["MISS", "MISS"]
