"""One holder at a time, among all replicas, of the work under one key."""

import asyncio
import secrets
from contextlib import suppress
from typing import Protocol

from server.cache.redis_store import StoreError

#: How long the work of a holder that dies is nobody's.
LEASE_SECONDS = 3.0

#: What tells a lease from whatever else a store may answer.
_MARK = b"cap:lease:"


class LeaseStore(Protocol):
    """Values that expire, and belong to whoever knows them. Raises StoreError."""

    async def claim(self, key: str, value: bytes, ttl_ms: int) -> bytes | None:
        """Put a value where there is none; the value that is there then."""

    async def extend(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Let a value live on, if it is still this one."""

    async def remove(self, key: str, value: bytes) -> None:
        """Remove a value, if it is still this one."""


class Lease:
    """A lease under `key`, which a token that nobody else has marks as this one's."""

    def __init__(self, store: LeaseStore, key: str) -> None:
        self._store = store
        self._key = f"{key}:lease"
        self._token = _MARK + secrets.token_bytes(16)
        self._keeping: asyncio.Task[None] | None = None

    async def is_elsewhere(self) -> bool:
        """Try to take the lease, and say whether another replica has it. Raises StoreError.

        A store whose answer is no lease gives none, and keeps nobody waiting.
        """
        holder = await self._store.claim(self._key, self._token, _milliseconds())
        if holder == self._token:
            self._keeping = asyncio.create_task(self._keep())
        return holder != self._token and holder is not None and holder.startswith(_MARK)

    async def release(self) -> None:
        """Give the lease back, if it was taken; where that fails it expires."""
        if self._keeping:
            self.abandon()
            with suppress(StoreError):
                await self._store.remove(self._key, self._token)

    def abandon(self) -> None:
        """Let the lease expire: for a store that can't be told."""
        if self._keeping:
            self._keeping.cancel()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(StoreError):
                await self._store.extend(self._key, self._token, _milliseconds())


def _milliseconds() -> int:
    return round(LEASE_SECONDS * 1000)
