"""A shared store of bytes by key: its operations, and the two ways in which they fail."""

from typing import Protocol


class StoreError(Exception):
    """An operation of the store failed."""


class StoreRefused(StoreError):
    """The store answered with an error: out of memory, read-only, wrong type of value."""


class StoreUnreachable(StoreError):
    """The store is absent, silent, too slow, rejects the password, or is not a Redis."""


class Store(Protocol):
    """Values that expire. Every method raises StoreError."""

    async def get(self, key: str) -> bytes | None:
        """Return the value of `key`, or None if there is none."""

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Store a value for `ttl_ms` milliseconds."""

    async def claim(self, key: str, value: bytes, ttl_ms: int) -> bytes | None:
        """Store a value unless `key` has one. Return the value that `key` has afterwards."""

    async def find_or_claim(
        self, key: str, claim_key: str, value: bytes, ttl_ms: int
    ) -> tuple[bytes | None, bytes | None]:
        """Return the value of `key` and None. If there is none, claim `claim_key` at once.

        Then return None and the value that `claim_key` has afterwards. A value of `key` that is no
        string of bytes counts as none.
        """

    async def set_and_remove(
        self, key: str, value: bytes, ttl_ms: int, claim_key: str, claimed: bytes
    ) -> None:
        """Store a value, and remove `claim_key` afterwards even if the store refuses the value."""

    async def extend(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Renew the time to live of `key`, if its value still equals `value`."""

    async def remove(self, key: str, value: bytes) -> None:
        """Delete `key`, if its value still equals `value`."""

    async def probe(self) -> None:
        """Return if the store answers a look-up in time."""
