"""Captions by key in a store that may fail at any time. A failure costs cache hits only."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from server.cache.circuit_breaker import CircuitBreaker
from server.cache.codec import decode, encode
from server.cache.interface import CacheEntry, Lead
from server.cache.lease import Lease
from server.cache.store import Store, StoreError, StoreRefused
from server.captioning.caption import Caption

logger = logging.getLogger(__name__)

#: The fraction by which times to live vary, so that a busy hour's entries do not expire at once.
TTL_JITTER = 0.1

#: Seconds that a request waits for another replica's inference before it starts its own.
MAX_WAIT = 30.0

_POLL_SECONDS = 0.025


class StoreBackedCache:
    """A CaptionCache in a Store. `ttl` is the time to live of an entry, in seconds."""

    near_hits = 0

    def __init__(self, store: Store, breaker: CircuitBreaker, ttl: int) -> None:
        self.store = store
        self.breaker = breaker
        self.errors = 0
        self._ttl = ttl
        self._last_refusal = ""

    @property
    def is_open(self) -> bool:
        return self.breaker.is_open

    def recall(self, key: str) -> Caption | None:
        return None

    def entry(self, key: str) -> CacheEntry:
        return StoreBackedEntry(self, key)

    def ttl_ms(self) -> int:
        """Return a time to live in milliseconds, with jitter."""
        return round(self._ttl * 1000 * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER))

    def record_write(self) -> None:
        self.breaker.record_success()
        self._last_refusal = ""

    def record_error(self, error: StoreError) -> None:
        """Count a failure. Log a refusal when its reason changes."""
        self.errors += 1
        # A store that refuses answers at once and may still have hits, so the breaker ignores it.
        if not isinstance(error, StoreRefused):
            self.breaker.record_failure(error)
        elif str(error) != self._last_refusal:
            self._last_refusal = str(error)
            logger.warning(
                "The cache refuses an operation; captions continue without it: %s", error
            )


class StoreBackedEntry:
    """A CacheEntry of a StoreBackedCache.

    After the first operation that finds the store unreachable, the entry does not use it again. A
    request thus waits for a hanging store once, not once for each operation.
    """

    def __init__(self, cache: StoreBackedCache, key: str) -> None:
        self._cache = cache
        self._key = key
        self._lease = Lease(cache.store, key)
        self._unreachable = False

    async def get(self) -> Caption | None:
        if self._is_disabled():
            return None
        try:
            value = await self._cache.store.get(self._key)
        except StoreError as exc:
            self._record_error(exc)
            return None
        self._cache.breaker.record_success()
        return decode(self._key, value) if value is not None else None

    async def put(self, caption: Caption) -> None:
        if self._is_disabled():
            return
        value = encode(self._key, caption)
        try:
            await self._lease.store_and_release(value, self._cache.ttl_ms())
        except StoreError as exc:
            self._record_error(exc)
        else:
            self._cache.record_write()

    @asynccontextmanager
    async def lead_or_wait(self) -> AsyncIterator[Lead]:
        try:
            yield await self._lead_or_wait()
        finally:
            if self._is_disabled():
                self._lease.abandon()
            else:
                await self._lease.release()

    async def _lead_or_wait(self) -> Lead:
        found, may_lead = await self._find_or_acquire()
        if found or may_lead:
            return Lead(found)
        began = monotonic()
        while not (found or may_lead) and monotonic() - began < MAX_WAIT:
            await asyncio.sleep(_POLL_SECONDS)
            found, may_lead = await self._find_or_acquire()
        return Lead(found, monotonic() - began)

    async def _find_or_acquire(self) -> tuple[Caption | None, bool]:
        """Return the caption, and whether this request may infer it if there is none."""
        if self._is_disabled():
            return None, True
        try:
            value, may_lead = await self._lease.find_or_acquire()
            self._cache.breaker.record_success()
            if value is None:
                return None, may_lead
            if found := decode(self._key, value):
                return found, False
            # A value that is no caption. After the lease: its holder may have replaced it before.
            may_lead = await self._lease.acquire()
        except StoreError as exc:
            self._record_error(exc)
            may_lead = True
        # A store that takes no writes or no scripts may have the caption.
        return await self.get(), may_lead

    def _is_disabled(self) -> bool:
        return self._unreachable or self._cache.is_open

    def _record_error(self, error: StoreError) -> None:
        self._unreachable = not isinstance(error, StoreRefused)
        self._cache.record_error(error)
