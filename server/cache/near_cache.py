"""The captions that were used last, in the process, in front of a cache that is shared."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from server.cache.interface import CacheEntry, CaptionCache, Lead
from server.captioning.caption import Caption

#: The fraction of the time to live that a caption stays. So it outlives its entry in the shared
#: cache by at most this fraction, and is then read there again: that entry counts as used.
LIFETIME = 0.1


@dataclass(frozen=True, slots=True)
class _Kept:
    caption: Caption
    expires: float


class NearCache:
    """A CaptionCache in front of another one, `far`.

    It keeps at most `entries` captions, and drops the least recently used one first. A key has one
    caption for all time, so no entry is ever stale. An entry takes about 1 kB: a caption of 10
    tokens with its key; one of 512 tokens takes 24 kB. `ttl` is that of `far`, in seconds.
    """

    def __init__(self, far: CaptionCache, entries: int, ttl: int) -> None:
        self.near_hits = 0
        self._far = far
        self._entries = entries
        self._lifetime = ttl * LIFETIME
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @property
    def errors(self) -> int:
        return self._far.errors

    @property
    def is_open(self) -> bool:
        return self._far.is_open

    def recall(self, key: str) -> Caption | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires < monotonic():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        self.near_hits += 1
        return kept.caption

    def entry(self, key: str) -> CacheEntry:
        return _NearEntry(self, key, self._far.entry(key))

    def keep(self, key: str, caption: Caption) -> None:
        """Keep a caption that `far` gave or is about to store."""
        self._kept[key] = _Kept(caption, monotonic() + self._lifetime)
        self._kept.move_to_end(key)
        if len(self._kept) > self._entries:
            self._kept.popitem(last=False)


class _NearEntry:
    """The entry of the far cache. Every caption that passes is kept near."""

    def __init__(self, near: NearCache, key: str, far: CacheEntry) -> None:
        self._near = near
        self._key = key
        self._far = far

    async def get(self) -> Caption | None:
        found = await self._far.get()
        if found:
            self._near.keep(self._key, found)
        return found

    async def put(self, caption: Caption) -> None:
        self._near.keep(self._key, caption)
        await self._far.put(caption)

    @asynccontextmanager
    async def lead_or_wait(self) -> AsyncIterator[Lead]:
        async with self._far.lead_or_wait() as lead:
            if lead.caption:
                self._near.keep(self._key, lead.caption)
            yield lead
