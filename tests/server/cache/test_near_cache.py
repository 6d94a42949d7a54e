"""The near cache in the process: its bounds, and its hits while the Valkey behind it is gone."""

from hashlib import sha256
from typing import Any

import pytest

from server.cache.near_cache import LIFETIME, NearCache
from server.captioning.caption import Caption
from server.settings import Settings
from tests.server.http.test_metrics import scrape
from tests.server.serving import app
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio

CAPTION = Caption("a cat", (30522, 7, 102), 0.5, "stop")
DIGEST = sha256(b"picture").hexdigest()


class Far:
    """A shared cache of one caption for every key. `gets` counts its look-ups."""

    errors = 0
    is_open = False
    near_hits = 0

    def __init__(self) -> None:
        self.gets = 0
        self.stored: list[str] = []

    def recall(self, key: str) -> Caption | None:
        return None

    def entry(self, key: str) -> Any:
        far = self

        class Entry:
            async def get(self) -> Caption | None:
                far.gets += 1
                return CAPTION

            async def put(self, caption: Caption) -> None:
                far.stored.append(key)

        return Entry()


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("server.cache.near_cache.monotonic", clock)
    return clock


async def test_least_recently_used_goes_first() -> None:
    """The number of captions is bounded, and the one that was not used for longest is dropped."""
    near = NearCache(Far(), entries=2, ttl=100)
    for key in ("one", "two"):
        await near.entry(key).put(CAPTION)
    assert near.recall("one") == CAPTION

    await near.entry("three").put(CAPTION)

    assert [near.recall(key) for key in ("one", "two", "three")] == [CAPTION, None, CAPTION]


@pytest.mark.parametrize("method", ["get", "put"])
async def test_lifetime(clock: Clock, method: str) -> None:
    """A caption is kept for a tenth of the time to live, however often it is used."""
    near = NearCache(Far(), entries=2, ttl=100)
    entry = near.entry("key")
    await (entry.get() if method == "get" else entry.put(CAPTION))

    clock.seconds += 100 * LIFETIME - 1
    assert near.recall("key") == CAPTION
    clock.seconds += 2
    assert near.recall("key") is None


async def test_hits_without_redis(valkey: Valkey) -> None:
    """With Redis down, known captions are hits, for an upload and for a look-up by digest."""
    async with app(redis_url=valkey.url, redis_timeout=5.0, near_cache_entries=10) as served:
        await served.caption()
        valkey.kill()

        uploaded = await served.caption()
        found = await served.client.get(f"/caption/{DIGEST}")
        metrics = await scrape(served)

    assert (uploaded.headers["x-cache"], found.headers["x-cache"]) == ("HIT", "HIT")
    assert uploaded.json() == found.json()
    assert metrics["caption_near_cache_hits_total",] == 2
    assert metrics["caption_cache_hits_total",] == 2
    assert metrics["caption_cache_errors_total",] == 0
    assert served.captioner.inferences == 1


async def test_filled_from_redis(valkey: Valkey) -> None:
    """A hit from Redis is a near hit the next time, and counts as a hit of its own tier."""
    options: dict[str, Any] = {"redis_url": valkey.url, "redis_timeout": 5.0}
    async with app(**options) as other:
        await other.caption()
    for by_digest in (False, True):
        async with app(**options, near_cache_entries=10) as served:
            for _ in range(3):
                if by_digest:
                    answer = await served.client.get(f"/caption/{DIGEST}")
                else:
                    answer = await served.caption()
                assert answer.headers["x-cache"] == "HIT"
            metrics = await scrape(served)
        assert metrics["caption_near_cache_hits_total",] == 2
        assert metrics["caption_cache_hits_total",] == 3


async def test_refresh_passes_it(valkey: Valkey) -> None:
    """A request with Cache-Control: no-cache is inferred and renews both tiers."""
    async with app(redis_url=valkey.url, redis_timeout=5.0, near_cache_entries=10) as served:
        await served.caption()
        valkey.client().flushall()

        refreshed = await served.caption(headers={"cache-control": "no-cache"})

        assert refreshed.headers["x-cache"] == "BYPASS"
        assert served.captioner.inferences == 2
        assert len(valkey.client().keys("cap:v1:*")) == 1
        assert (await served.caption()).headers["x-cache"] == "HIT"


async def test_off(valkey: Valkey) -> None:
    """With --near-cache-entries 0 every hit comes from Redis; --no-cache turns both tiers off."""
    async with app(redis_url=valkey.url, redis_timeout=5.0, near_cache_entries=0) as served:
        await served.caption()
        valkey.client().flushall()
        assert (await served.caption()).headers["x-cache"] == "MISS"
    async with app(no_cache=True, near_cache_entries=10) as served:
        assert [(await served.caption()).headers["x-cache"] for _ in range(2)] == ["MISS"] * 2


def test_default() -> None:
    """A server keeps some thousands of captions, unless it is told otherwise."""
    assert 1000 <= Settings().near_cache_entries <= 10_000
