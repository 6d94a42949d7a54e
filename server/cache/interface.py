"""What the server asks of a cache of captions, and the cache of a server that has none."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from server.cache.codec import CachedCaption


class Entry(Protocol):
    """What the cache has under one key, as one request sees it.

    Never raises: a cache that fails has no caption and keeps none.
    """

    async def get(self) -> CachedCaption | None: ...

    async def put(self, caption: CachedCaption) -> None: ...

    def leading(self) -> AbstractAsyncContextManager[CachedCaption | None]:
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

    def entry(self, key: str) -> Entry: ...


class NoCache:
    """The cache of a server that runs without one, and each of its entries."""

    errors = 0
    is_open = False

    def entry(self, key: str) -> Entry:
        return self

    async def get(self) -> CachedCaption | None:
        return None

    async def put(self, caption: CachedCaption) -> None:
        return None

    def leading(self) -> AbstractAsyncContextManager[CachedCaption | None]:
        return nullcontext()
