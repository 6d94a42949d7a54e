"""A request's way to its caption: look-up, one flight per key, queue, model, cache."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, Protocol

from starlette.types import Receive

from server.cache.codec import CachedCaption
from server.cache.interface import CaptionCache, Entry
from server.cache.key import cache_key
from server.captioning.caption import Caption
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions
from server.http.disconnect import while_connected
from server.http.forms import Upload
from server.inference.batcher import ContinuousBatcher
from server.inference.single_flight import SingleFlight

CacheStatus = Literal["HIT", "MISS", "COALESCED", "BYPASS"]


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """A caption, where it came from, and the seconds that each phase of getting it took."""

    caption: CachedCaption
    cache: CacheStatus
    phases: Mapping[str, float] = field(default_factory=dict)


class CaptionService:
    """Answers uploads. The captioner is only touched on the worker's thread."""

    def __init__(
        self, captioner: Captioner, worker: ContinuousBatcher[Any, Any], cache: CaptionCache
    ) -> None:
        self._captioner = captioner
        self._worker = worker
        self._cache = cache
        self.flights: SingleFlight[Outcome] = SingleFlight()

    async def caption(self, upload: Upload, *, refresh: bool, receive: Receive) -> Outcome:
        """Caption an upload from the cache, from work in progress, or anew.

        `refresh` skips the look-up and overwrites the entry. `receive` tells when the client has
        left: then its part in the work ends with ClientDisconnect. Raises Overloaded, and what
        Captioner.start raises.
        """
        key = cache_key(
            self._captioner.digest,
            upload.image.sha256.digest(),
            upload.prompt,
            upload.options,
            self._captioner.exact_decode,
        )
        entry = self._cache.entry(key)
        looked_up: dict[str, float] = {}
        if not refresh:
            began = perf_counter()
            found = await entry.get()
            looked_up["cache"] = perf_counter() - began
            if found:
                return Outcome(found, "HIT", looked_up)
        # Nobody who wants a fresh caption shares a flight that may still look into the cache.
        flight = f"{key} refresh" if refresh else key
        shared = self.flights.share(flight, lambda: self._infer(entry, upload, refresh))
        outcome, joined = await while_connected(receive, shared)
        status = "COALESCED" if joined and outcome.cache == "MISS" else outcome.cache
        return Outcome(outcome.caption, status, {**looked_up, **outcome.phases})

    async def _infer(self, entry: Entry, upload: Upload, refresh: bool) -> Outcome:
        if refresh:
            return await self._make(entry, upload, "BYPASS")
        async with entry.leading() as found:
            # It was not there at the look-up: somebody's work was in progress then.
            return Outcome(found, "COALESCED") if found else await self._make(entry, upload, "MISS")

    async def _make(self, entry: Entry, upload: Upload, status: CacheStatus) -> Outcome:
        submitted = perf_counter()

        def infer() -> Generator[Any, Any, tuple[float, Caption]]:
            waited = perf_counter() - submitted
            made = yield from self._captioner.start(
                upload.image.content, upload.prompt, upload.options
            )
            return waited, made

        waited, made = await self._worker.run(infer, places=upload.options.num_beams)
        caption = CachedCaption(made.text, made.token_ids, made.confidence, made.finish_reason)
        await entry.put(caption)
        phases = {
            "queue": waited,
            "preprocess": made.timings.preprocess,
            "encode": made.timings.encode,
            "decode": made.timings.decode,
        }
        return Outcome(caption, status, phases)
