"""Captions by key, in a store that may fail at any time: that costs hits and nothing else."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Protocol

from server.cache.circuit_breaker import CircuitBreaker
from server.cache.codec import decode, encode
from server.cache.interface import CacheEntry
from server.cache.lease import Lease, LeaseStore
from server.cache.redis_store import StoreError, StoreRefused
from server.captioning.caption import Caption

logger = logging.getLogger(__name__)

#: Entries of one busy hour should not all expire in one second.
TTL_JITTER = 0.1


#: Seconds that a request waits for another replica's inference before it does its own.
MAX_WAIT = 30.0
_SECONDS_BETWEEN_LOOKS = 0.025


class Store(LeaseStore, Protocol):
    """Bytes by key. Raises StoreError."""

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None: ...

    async def probe(self) -> None: ...


class StoreCaptionCache:
    """A CaptionCache over a Store; `ttl` is in seconds."""

    def __init__(self, store: Store, breaker: CircuitBreaker, ttl: int) -> None:
        self.store = store
        self.breaker = breaker
        self.errors = 0
        self._ttl = ttl
        self._last_refusal = ""

    @property
    def is_open(self) -> bool:
        return self.breaker.is_open

    def entry(self, key: str) -> CacheEntry:
        return StoreCacheEntry(self, key)

    def ttl_ms(self) -> int:
        return round(self._ttl * 1000 * random.uniform(1 - TTL_JITTER, 1 + TTL_JITTER))

    def note_written(self) -> None:
        self.breaker.record_success()
        self._last_refusal = ""

    def note(self, error: StoreError) -> None:
        self.errors += 1
        # A store that refuses does so at once and may still have hits: no reason to leave it alone.
        if not isinstance(error, StoreRefused):
            self.breaker.record_failure(error)
        elif str(error) != self._last_refusal:
            self._last_refusal = str(error)
            logger.warning("The cache refuses, captions go on without it: %s", error)


class StoreCacheEntry:
    """An CacheEntry of StoreCaptionCache.

    After one operation that found nobody it leaves the store alone, so that a store that hangs
    costs a request one timeout and not one for each operation.
    """

    def __init__(self, captions: StoreCaptionCache, key: str) -> None:
        self._captions = captions
        self._key = key
        self._unreachable = False

    async def get(self) -> Caption | None:
        if self._is_left_alone():
            return None
        try:
            value = await self._captions.store.get(self._key)
        except StoreError as exc:
            self._note(exc)
            return None
        self._captions.breaker.record_success()
        return decode(self._key, value) if value is not None else None

    async def put(self, caption: Caption) -> None:
        if self._is_left_alone():
            return
        value = encode(self._key, caption)
        try:
            await self._captions.store.set(self._key, value, self._captions.ttl_ms())
        except StoreError as exc:
            self._note(exc)
        else:
            self._captions.note_written()

    @asynccontextmanager
    async def lead_or_wait(self) -> AsyncIterator[Caption | None]:
        lease = Lease(self._captions.store, self._key)
        try:
            yield await self._made_elsewhere(lease)
        finally:
            if self._is_left_alone():
                lease.abandon()
            else:
                await lease.release()

    async def _made_elsewhere(self, lease: Lease) -> Caption | None:
        give_up = monotonic() + MAX_WAIT
        while True:
            elsewhere = await self._is_elsewhere(lease)
            # Looked up after the lease, which a holder gives back once its caption is there.
            if found := await self.get():
                return found
            if not elsewhere or monotonic() > give_up:
                return None
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    async def _is_elsewhere(self, lease: Lease) -> bool:
        if self._is_left_alone():
            return False
        try:
            return await lease.is_elsewhere()
        except StoreError as exc:
            self._note(exc)
            return False

    def _is_left_alone(self) -> bool:
        return self._unreachable or self._captions.is_open

    def _note(self, error: StoreError) -> None:
        self._unreachable = not isinstance(error, StoreRefused)
        self._captions.note(error)
