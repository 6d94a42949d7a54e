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
        self._key = key
        # By the braces, a Redis Cluster keeps both keys in one slot, so that one script has both.
        self._lease_key = f"{{{key}}}:lease"
        self._token = _MARK + secrets.token_bytes(16)
        self._renewal: asyncio.Task[None] | None = None

    async def acquire(self) -> bool:
        """Try to take the lease. Return whether the caller may work on the key.

        Return False only if another replica holds the lease. If the stored value is not a lease
        token, return True without a lease: nobody waits for a store that gives none. Raises
        StoreError.
        """
        return self._begin(await self._store.claim(self._lease_key, self._token, _lease_ms()))

    async def find_or_acquire(self) -> tuple[bytes | None, bool]:
        """Return the value of the key. If there is none, try to take the lease in the same step.

        The second value is that of `acquire`, False beside a value. Raises StoreError.
        """
        value, holder = await self._store.find_or_claim(
            self._key, self._lease_key, self._token, _lease_ms()
        )
        return value, value is None and self._begin(holder)

    def _begin(self, holder: bytes | None) -> bool:
        if holder == self._token:
            self._renewal = asyncio.create_task(self._renew())
            return True
        return holder is None or not holder.startswith(_MARK)

    async def store_and_release(self, value: bytes, ttl_ms: int) -> None:
        """Store the value of the key, and release the lease in the same step, if it was taken.

        Raises StoreError. The lease is over then too, or expires.
        """
        if self._renewal:
            self.abandon()
            await self._store.set_and_remove(self._key, value, ttl_ms, self._lease_key, self._token)
        else:
            await self._store.set(self._key, value, ttl_ms)

    async def release(self) -> None:
        """Delete the lease, if it was taken. If the store fails, the lease expires."""
        if self._renewal:
            self.abandon()
            with suppress(StoreError):
                await self._store.remove(self._lease_key, self._token)

    def abandon(self) -> None:
        """Stop renewing the lease, so that it expires: for a store that is unreachable."""
        if self._renewal:
            self._renewal.cancel()
            self._renewal = None

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(StoreError):
                await self._store.extend(self._lease_key, self._token, _lease_ms())


def _lease_ms() -> int:
    return round(LEASE_SECONDS * 1000)
