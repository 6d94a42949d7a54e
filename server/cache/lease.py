"""A lease: at most one replica at a time works on one key."""

import asyncio
import secrets
from contextlib import suppress

from server.cache.store import Store, StoreError

#: Seconds until the lease of a holder that died expires.
LEASE_SECONDS = 3.0

#: The prefix of every lease token. Any other value under the key is not a lease.
_MARK = b"cap:lease:"


class Lease:
    """A lease on `key`. A random token identifies its holder."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = f"{key}:lease"
        self._token = _MARK + secrets.token_bytes(16)
        self._renewal: asyncio.Task[None] | None = None

    async def acquire(self) -> bool:
        """Try to take the lease. Return whether the caller may work on the key.

        Return False only if another replica holds the lease. If the stored value is not a lease
        token, return True without a lease: nobody waits for a store that gives none. Raises
        StoreError.
        """
        holder = await self._store.claim(self._key, self._token, _lease_ms())
        if holder == self._token:
            self._renewal = asyncio.create_task(self._renew())
            return True
        return holder is None or not holder.startswith(_MARK)

    async def release(self) -> None:
        """Delete the lease, if it was taken. If the store fails, the lease expires."""
        if self._renewal:
            self.abandon()
            with suppress(StoreError):
                await self._store.remove(self._key, self._token)

    def abandon(self) -> None:
        """Stop renewing the lease, so that it expires: for a store that is unreachable."""
        if self._renewal:
            self._renewal.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(StoreError):
                await self._store.extend(self._key, self._token, _lease_ms())


def _lease_ms() -> int:
    return round(LEASE_SECONDS * 1000)
