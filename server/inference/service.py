"""Answer a caption request: look-up, single flight, lease, batcher, store."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Protocol

from server.cache.codec import CachedCaption
from server.cache.interface import CaptionCache, Entry
from server.cache.key import cache_key
from server.captioning.caption import Caption, Timings
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions
from server.inference.batcher import ContinuousBatcher
from server.inference.request import CacheStatus, CaptionRequest, CaptionResult
from server.inference.single_flight import SingleFlight

#: Awaits a request's part in the inference, and may end it early: when its client leaves.
Watch = Callable[
    [Coroutine[Any, Any, tuple[CaptionResult, bool]]], Awaitable[tuple[CaptionResult, bool]]
]


class Captioner(Protocol):
    """What the server needs of a loaded model; server.captioning has the real one."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def digest(self) -> str: ...

    @property
    def threads(self) -> int: ...

    @property
    def exact_decode(self) -> bool: ...

    def start(
        self, image: bytes, prompt: str | None, options: GenerationOptions
    ) -> Generator[Any, Any, Caption]:
        """A caption in the making, which is sent what `step` gives for what it yields."""

    def gather(self, wants: Sequence[Any]) -> bool:
        """Prepare a step for all who want it so far; whether one more may come to it."""

    def step(self, wants: Sequence[Any]) -> Sequence[Any]: ...

    def warm_up(self) -> None: ...


class CaptionService:
    """Answers caption requests. Only the batcher's thread touches the captioner."""

    def __init__(
        self, captioner: Captioner, batcher: ContinuousBatcher[Any, Any], cache: CaptionCache
    ) -> None:
        self._captioner = captioner
        self._batcher = batcher
        self._cache = cache
        self.flights: SingleFlight[CaptionResult] = SingleFlight()

    async def caption(self, request: CaptionRequest, watch: Watch | None = None) -> CaptionResult:
        """Caption a request from the cache, from an equal request in progress, or anew.

        Raises Overloaded, Draining, what Captioner.start raises, and what `watch` raises.
        """
        key = cache_key(
            self._captioner.digest,
            request.image_digest,
            request.prompt,
            request.options,
            self._captioner.exact_decode,
        )
        entry = self._cache.entry(key)
        phases: dict[str, float] = {}
        if not request.refresh:
            began = perf_counter()
            found = await entry.get()
            phases["cache"] = perf_counter() - began
            if found:
                return CaptionResult(_caption(found), "HIT", phases)
        # A request for a fresh caption does not share work that may end with a cached one.
        flight = f"{key} refresh" if request.refresh else key
        began = perf_counter()
        shared = self.flights.share(flight, lambda: self._infer(entry, request))
        result, joined = await (watch(shared) if watch else shared)
        if not joined:
            return CaptionResult(result.caption, result.cache, phases | result.phases)
        phases["wait"] = perf_counter() - began
        status: CacheStatus = "COALESCED" if result.cache == "MISS" else result.cache
        return CaptionResult(result.caption, status, phases)

    async def _infer(self, entry: Entry, request: CaptionRequest) -> CaptionResult:
        phases: dict[str, float] = {}
        if request.refresh:
            return await self._make(entry, request, "BYPASS", phases)
        async with _leading(entry, phases) as found:
            if found:  # Another request was inferring it at the time of the look-up.
                return CaptionResult(_caption(found), "COALESCED", phases)
            return await self._make(entry, request, "MISS", phases)

    async def _make(
        self, entry: Entry, request: CaptionRequest, status: CacheStatus, phases: dict[str, float]
    ) -> CaptionResult:
        submitted = perf_counter()

        def infer() -> Generator[Any, Any, Caption]:
            phases["queue"] = perf_counter() - submitted
            return (
                yield from self._captioner.start(request.image, request.prompt, request.options)
            )

        made = await self._batcher.run(infer, places=request.options.num_beams)
        phases["preprocess"] = made.timings.preprocess
        phases["encode"] = made.timings.encode
        phases["decode"] = made.timings.decode
        began = perf_counter()
        await entry.put(
            CachedCaption(made.text, made.token_ids, made.confidence, made.finish_reason)
        )
        phases["store"] = perf_counter() - began
        return CaptionResult(made, status, phases)


@asynccontextmanager
async def _leading(entry: Entry, phases: dict[str, float]) -> AsyncIterator[CachedCaption | None]:
    began = perf_counter()
    async with entry.leading() as found:
        phases["lease"] = perf_counter() - began
        yield found


def _caption(cached: CachedCaption) -> Caption:
    return Caption(
        cached.text,
        cached.token_ids,
        cached.confidence,
        cached.finish_reason,
        Timings(0.0, 0.0, 0.0),
    )
