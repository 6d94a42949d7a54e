"""The cache that the settings ask for, open for the lifetime of the server."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

from server.cache.caption_cache import StoreBackedCache
from server.cache.circuit_breaker import CircuitBreaker
from server.cache.embedded_valkey import embedded_valkey
from server.cache.interface import CaptionCache, NoCache
from server.cache.near_cache import NearCache
from server.cache.redis_store import InvalidStoreUrl, RedisStore
from server.cache.store import StoreError
from server.cache.valkey_process import EmbeddedValkeyError
from server.errors import StartupError
from server.settings import Settings

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncIterator[CaptionCache]:
    """Open the Redis of --redis-url, reachable or not; else an embedded Valkey; else no cache.

    A near cache is put in front, unless --near-cache-entries is 0. Raises StartupError for a URL
    with an option that the Redis client rejects.
    """
    async with AsyncExitStack() as stack:
        url = None
        if settings.no_cache:
            logger.info("cache: none, by --no-cache")
        elif settings.redis_url:
            url = settings.redis_url
            logger.info("cache: %s", _without_password(url))
        else:
            try:
                url = await stack.enter_async_context(embedded_valkey(settings.cache_memory_mb))
                logger.info("cache: embedded Valkey, up to %d MB", settings.cache_memory_mb)
            except EmbeddedValkeyError as exc:
                logger.warning("cache: none, the embedded Valkey cannot run here: %s", exc)
        if url is None:
            yield NoCache()
        else:
            cache: CaptionCache = await stack.enter_async_context(_open_store(url, settings))
            if settings.near_cache_entries:
                cache = NearCache(cache, settings.near_cache_entries, settings.cache_ttl)
            yield cache


@asynccontextmanager
async def _open_store(url: str, settings: Settings) -> AsyncIterator[StoreBackedCache]:
    try:
        store = RedisStore(url, settings.redis_timeout)
    except InvalidStoreUrl as exc:
        raise StartupError(
            f"--redis-url has an option that the Redis client rejects: {exc}; remove it"
        ) from exc
    breaker = CircuitBreaker(store.probe)
    try:
        await store.probe()
    except StoreError as exc:
        breaker.open(exc)
    try:
        yield StoreBackedCache(store, breaker, settings.cache_ttl)
    finally:
        await breaker.aclose()
        with suppress(StoreError):
            await store.aclose()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
