"""Caption requests: caches, single flight, lease, decoding, continuous batching, store."""

from collections.abc import Coroutine
from time import perf_counter
from typing import Any, Protocol, TypeVar

from server.cache.interface import CacheEntry, CaptionCache
from server.cache.key import cache_key
from server.captioning.arrays import Pixels
from server.captioning.caption import Caption
from server.captioning.generation.types import GenerationRequest
from server.captioning.image.version import PREPROCESSING_VERSION
from server.captioning.model.encoder import EncodedImage
from server.captioning.options import GenerationOptions
from server.errors import Overloaded
from server.inference.batcher import ContinuousBatcher
from server.inference.decode_stage import DecodeStage
from server.inference.model import CaptionModel
from server.inference.phases import Phase
from server.inference.queue_limit import QueueLimit
from server.inference.rendering import Rendering
from server.inference.request import CacheStatus, CaptionRequest, CaptionResult
from server.inference.sequence import Sequence
from server.inference.single_flight import SingleFlight

T = TypeVar("T")


class Watch(Protocol):
    """Awaits inference on behalf of a client, and cancels it when the client leaves."""

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


async def unwatched(work: Coroutine[Any, Any, T]) -> T:
    """Await inference whether or not a client still waits for it."""
    return await work


class CaptionService:
    """Answers caption requests of all surfaces."""

    def __init__(
        self,
        model: CaptionModel,
        batcher: ContinuousBatcher,
        decode_stage: DecodeStage,
        queue_limit: QueueLimit,
        cache: CaptionCache,
    ) -> None:
        self._model = model
        self._batcher = batcher
        self._decode_stage = decode_stage
        self._queue_limit = queue_limit
        self._cache = cache
        self._single_flight: SingleFlight[CaptionResult] = SingleFlight()
        self._preprocessing = (
            f"{PREPROCESSING_VERSION} {'exact' if model.exact_decode else 'draft'}"
        )

    @property
    def waiting(self) -> int:
        """How many requests wait for an inference, their own or that of an equal request."""
        return self._single_flight.callers

    @property
    def queued(self) -> int:
        """How many captions wait for a batch slot."""
        return self._batcher.queued

    @property
    def batch_slots(self) -> int:
        """How many captions without beams run at once."""
        return self._batcher.batch_size

    def seconds_without_progress(self) -> float:
        """Return the seconds since decoding or the batcher progressed; 0.0 while both are idle."""
        return max(
            self._decode_stage.seconds_without_progress(),
            self._batcher.seconds_without_progress(),
        )

    async def caption(self, request: CaptionRequest, watch: Watch = unwatched) -> CaptionResult:
        """Return the caption from the cache, from an equal request in progress, or inferred.

        `watch` awaits all that follows the look-up in the near cache. Raises Overloaded, Draining,
        ImageError, PromptTooLong and OptionOutOfRange.
        """
        generation_request = self._model.resolve(request.prompt, request.options)
        key = self._key(request, generation_request)
        began = perf_counter()
        phases: dict[Phase, float] = {}
        if not request.refresh and (found := self._cache.recall(key)):
            return CaptionResult(key, found, "HIT", {"cache": perf_counter() - began})
        if not request.refresh:
            phases["cache"] = perf_counter() - began
        # A refreshing request must not join an execution that may still look into the cache.
        flight = f"{key} refresh" if request.refresh else key
        result, joined = await watch(
            self._single_flight.do(flight, lambda: self._lead(key, request, generation_request))
        )
        if joined:
            status: CacheStatus = "COALESCED" if result.cache == "MISS" else result.cache
            waited = perf_counter() - began - phases.get("cache", 0.0)
            return CaptionResult(key, result.caption, status, {**phases, "wait": waited})
        return CaptionResult(key, result.caption, result.cache, {**phases, **result.phases})

    async def caption_patiently(self, request: CaptionRequest) -> CaptionResult:
        """Return the caption as `caption` does, but wait for room instead of raising Overloaded."""
        while True:
            try:
                return await self.caption(request)
            except Overloaded:
                await self._queue_limit.next_end()

    def check(self, options: GenerationOptions) -> None:
        """Raise OptionOutOfRange for options that no picture and prompt can have."""
        self._model.resolve(None, options)

    async def find(self, request: CaptionRequest) -> CaptionResult | None:
        """Return the caption if it is cached, from the picture's digest alone; infer nothing.

        Raises PromptTooLong and OptionOutOfRange.
        """
        began = perf_counter()
        key = self._key(request, self._model.resolve(request.prompt, request.options))
        found = self._cache.recall(key) or await self._cache.entry(key).get()
        phases: dict[Phase, float] = {"cache": perf_counter() - began}
        return CaptionResult(key, found, "HIT", phases) if found else None

    def render(self, request: CaptionRequest, caption: Caption, rendering: Rendering) -> str:
        """Return the text of a caption as its reader wants it."""
        if rendering.return_full_text or request.prompt is None:
            return rendering.apply(caption.text)
        return rendering.apply(self._model.continuation(caption, request.prompt))

    def _key(self, request: CaptionRequest, generation_request: GenerationRequest) -> str:
        return cache_key(
            model_digest=self._model.digest,
            preprocessing=self._preprocessing,
            image_digest=request.image_digest,
            prompt=request.prompt,
            settings=generation_request.settings,
        )

    async def _lead(
        self, key: str, request: CaptionRequest, generation_request: GenerationRequest
    ) -> CaptionResult:
        """Find or infer one caption for all callers of its key, here and in other replicas."""
        entry = self._cache.entry(key)
        if request.refresh:
            return await self._infer(key, entry, request, generation_request, "BYPASS")
        began = perf_counter()
        async with entry.lead_or_wait() as lead:
            phases: dict[Phase, float] = {"cache": perf_counter() - began - lead.waited}
            if lead.caption and not lead.waited:
                return CaptionResult(key, lead.caption, "HIT", phases)
            phases["lease"] = lead.waited
            if lead.caption:
                return CaptionResult(key, lead.caption, "COALESCED", phases)
            result = await self._infer(key, entry, request, generation_request, "MISS")
        return CaptionResult(key, result.caption, result.cache, {**phases, **result.phases})

    async def _infer(
        self,
        key: str,
        entry: CacheEntry,
        request: CaptionRequest,
        generation_request: GenerationRequest,
        status: CacheStatus,
    ) -> CaptionResult:
        slots = self._batcher.slots_of(generation_request.settings.num_beams)
        with self._queue_limit.place(slots):
            began = perf_counter()
            image = await self._decoded(request)
            decoded = perf_counter()
            sequence = Sequence(image, request.image_digest, generation_request, slots)
            del image  # The sequence releases the picture as soon as it is encoded.
            caption = self._model.finish(await self._batcher.run(sequence))
        phases: dict[Phase, float] = {"preprocess": decoded - began, **sequence.phases}
        phases["store"] = await self._store(entry, caption)
        return CaptionResult(key, caption, status, phases)

    async def _decoded(self, request: CaptionRequest) -> Pixels | EncodedImage:
        """Return the encoded picture where the encoder cache has it, else the decoded one."""
        encoded = self._model.find_encoded(request.image_digest)
        return encoded or await self._decode_stage.run(request.image)

    async def _store(self, entry: CacheEntry, caption: Caption) -> float:
        began = perf_counter()
        await entry.put(caption)
        return perf_counter() - began
