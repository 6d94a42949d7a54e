"""What the server asks of a cache of captions, and the cache of a server that has none."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from server.captioning.caption import Caption


class CacheEntry(Protocol):
    """What the cache has under one key, as one request sees it.

    Never raises: a cache that fails has no caption and keeps none.
    """

    async def get(self) -> Caption | None: ...

    async def put(self, caption: Caption) -> None: ...

    def lead_or_wait(self) -> AbstractAsyncContextManager[Caption | None]:
        """The caption, if another replica has made it or is about to; None: it is to be made.

        Who gets None is the only one to, as long as the context lasts and the store works.
        """


class CaptionCache(Protocol):
    """Captions by key.

    `errors` counts the operations that failed; `is_open` says that the cache is left alone.
    """

    @property
    def errors(self) -> int: ...

    @property
    def is_open(self) -> bool: ...

    def entry(self, key: str) -> CacheEntry: ...


class NoCache:
    """The cache of a server that runs without one, and each of its entries."""

    errors = 0
    is_open = False

    def entry(self, key: str) -> CacheEntry:
        return self

    async def get(self) -> Caption | None:
        return None

    async def put(self, caption: Caption) -> None:
        return None

    def lead_or_wait(self) -> AbstractAsyncContextManager[Caption | None]:
        return nullcontext()
