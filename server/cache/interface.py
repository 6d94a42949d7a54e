"""The cache of captions as the inference service uses it, and a cache that stores nothing."""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from server.captioning.caption import Caption


@dataclass(frozen=True, slots=True)
class Lead:
    """The outcome of `lead_or_wait`: a caption, or None for the leader, which has to infer it.

    `waited` is the seconds that the request waited for the replica that held the lease; 0.0 if it
    waited for none.
    """

    caption: Caption | None = None
    waited: float = 0.0


class CacheEntry(Protocol):
    """The cache entry of one key, for the duration of one request.

    A store that fails raises nothing: `get` then returns None, and `put` stores nothing.
    """

    async def get(self) -> Caption | None:
        """Return the stored caption, or None."""

    async def put(self, caption: Caption) -> None:
        """Store a caption until its time to live ends."""

    def lead_or_wait(self) -> AbstractAsyncContextManager[Lead]:
        """Look the caption up. If there is none, lead, or wait for the replica that does.

        Look-up and lease take one round trip. The leader infers the caption and calls `put` inside
        the context, which stores it and releases the lease in one round trip. At most one replica
        leads at a time while the store works.
        """


class CaptionCache(Protocol):
    """Captions by key. An entry reaches the shared store; `recall` stays in the process."""

    @property
    def errors(self) -> int:
        """The number of store operations that failed."""

    @property
    def is_open(self) -> bool:
        """Whether the circuit breaker is open, so that no request uses the store."""

    @property
    def near_hits(self) -> int:
        """The number of captions that `recall` gave."""

    def recall(self, key: str) -> Caption | None:
        """Return the caption if the process itself has it, at once."""

    def entry(self, key: str) -> CacheEntry: ...


class NoCache:
    """The cache of a server that runs without one; it is also each of its entries."""

    errors = 0
    is_open = False
    near_hits = 0

    def recall(self, key: str) -> Caption | None:
        return None

    def entry(self, key: str) -> CacheEntry:
        return self

    async def get(self) -> Caption | None:
        return None

    async def put(self, caption: Caption) -> None:
        return None

    def lead_or_wait(self) -> AbstractAsyncContextManager[Lead]:
        return nullcontext(Lead())
