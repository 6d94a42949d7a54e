"""Which cache a server runs with, opened and closed."""

import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from urllib.parse import urlsplit

from server.cache.caption_cache import StoreCaptionCache
from server.cache.circuit_breaker import CircuitBreaker
from server.cache.embedded_valkey import EmbeddedValkeyError, embedded_valkey
from server.cache.interface import CaptionCache, NoCache
from server.cache.redis_store import RedisStore, StoreError
from server.settings import Settings

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncIterator[CaptionCache]:
    """The Redis of --redis-url, reachable or not; else an embedded Valkey; else no cache."""
    with ExitStack() as stack:
        url = None
        if settings.no_cache:
            logger.info("cache: none, by --no-cache")
        elif settings.redis_url:
            url = settings.redis_url
            logger.info("cache: %s", _without_password(url))
        else:
            try:
                url = stack.enter_context(embedded_valkey(settings.cache_memory_mb))
                logger.info("cache: embedded Valkey, up to %d MB", settings.cache_memory_mb)
            except EmbeddedValkeyError as exc:
                logger.warning("cache: none, the embedded Valkey can't run here: %s", exc)
        if url is None:
            yield NoCache()
            return
        async with _open_store(url, settings) as captions:
            yield captions


@asynccontextmanager
async def _open_store(url: str, settings: Settings) -> AsyncIterator[StoreCaptionCache]:
    store = RedisStore(url, settings.redis_timeout)
    breaker = CircuitBreaker(store.probe)
    try:
        await store.probe()
    except StoreError as exc:
        breaker.open(exc)
    try:
        yield StoreCaptionCache(store, breaker, settings.cache_ttl)
    finally:
        await breaker.aclose()
        await store.aclose()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
