"""Captions by key, in a store that may fail at any time: that costs hits and nothing else."""

import logging
import random
from typing import Protocol

from server.cache.breaker import Breaker
from server.cache.store import StoreError, StoreRefused
from server.cache.values import CachedCaption, decode, encode

logger = logging.getLogger(__name__)

#: Entries of one busy hour should not all expire in one second.
TTL_JITTER = 0.1


class Store(Protocol):
    """Bytes by key. Raises StoreError."""

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None: ...

    async def probe(self) -> None: ...


class CaptionCache(Protocol):
    """Never raises: a cache that fails has no entry and keeps none."""

    async def get(self, key: str) -> CachedCaption | None: ...

    async def put(self, key: str, caption: CachedCaption) -> None: ...


class NoCache:
    """The cache of a server that runs without one."""

    async def get(self, key: str) -> CachedCaption | None:
        return None

    async def put(self, key: str, caption: CachedCaption) -> None:
        return None


class StoredCaptions:
    """A CaptionCache over a Store; `ttl` is in seconds."""

    def __init__(self, store: Store, breaker: Breaker, ttl: int) -> None:
        self._store = store
        self._breaker = breaker
        self._ttl = ttl
        self._last_refusal = ""

    async def get(self, key: str) -> CachedCaption | None:
        if self._breaker.is_open:
            return None
        try:
            value = await self._store.get(key)
        except StoreError as exc:
            self._note(exc)
            return None
        self._breaker.record_success()
        return decode(key, value) if value is not None else None

    async def put(self, key: str, caption: CachedCaption) -> None:
        if self._breaker.is_open:
            return
        ttl_ms = round(self._ttl * 1000 * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER))
        try:
            await self._store.set(key, encode(key, caption), ttl_ms)
        except StoreError as exc:
            self._note(exc)
        else:
            self._breaker.record_success()
            self._last_refusal = ""

    def _note(self, error: StoreError) -> None:
        # A store that refuses does so at once and may still have hits: no reason to leave it alone.
        if not isinstance(error, StoreRefused):
            self._breaker.record_failure(error)
        elif str(error) != self._last_refusal:
            self._last_refusal = str(error)
            logger.warning("The cache refuses, captions go on without it: %s", error)
