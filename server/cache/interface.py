"""The cache of captions as the inference service uses it, and a cache that stores nothing."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from server.captioning.caption import Caption


class CacheEntry(Protocol):
    """The cache entry of one key, for the duration of one request.

    A store that fails raises nothing: `get` then returns None, and `put` stores nothing.
    """

    async def get(self) -> Caption | None:
        """Return the stored caption, or None."""

    async def put(self, caption: Caption) -> None:
        """Store a caption until its time to live ends."""

    def lead_or_wait(self) -> AbstractAsyncContextManager[Caption | None]:
        """Take the lease on the key, or wait for the replica that holds it.

        Entering the context yields None to the leader, which infers the caption and calls `put`
        inside the context. It yields the caption if another replica has stored it. At most one
        replica leads at a time while the store works. The time to enter is the lease phase.
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

    def lead_or_wait(self) -> AbstractAsyncContextManager[Caption | None]:
        return nullcontext()
