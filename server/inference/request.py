"""The one description of a caption request, for every surface: no HTTP, no cache."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from server.captioning.caption import Caption
from server.captioning.options import GenerationOptions
from server.inference.phases import Phase

#: HIT: from the cache. MISS: inferred. COALESCED: shared with an equal request in progress, of this
#: process or of another replica. BYPASS: inferred anew, because the client asked for that.
CacheStatus = Literal["HIT", "MISS", "COALESCED", "BYPASS"]


@dataclass(frozen=True, slots=True)
class CaptionRequest:
    """A picture file, the text that its caption continues, and generation options.

    `pieces` are the file as it arrived, `image_digest` its SHA-256, 32 bytes, computed once while
    the body arrives. `prompt` is None for no prompt; an empty prompt is no prompt. `refresh` skips
    the cache look-up and overwrites the entry.
    """

    pieces: Sequence[bytes | memoryview]
    image_digest: bytes
    prompt: str | None = None
    options: GenerationOptions = field(default_factory=GenerationOptions)
    refresh: bool = False

    @property
    def image(self) -> bytes:
        """Join the pieces of the file. A cache hit never does: it would cost a copy of the file."""
        return b"".join(self.pieces)

    @classmethod
    def of(
        cls,
        image: bytes | Sequence[bytes | memoryview],
        prompt: str | None = None,
        options: GenerationOptions | None = None,
        *,
        image_digest: bytes | None = None,
        refresh: bool = False,
    ) -> "CaptionRequest":
        """Build a request. An empty prompt becomes none; an absent digest is computed."""
        pieces = (image,) if isinstance(image, bytes) else image
        digest = sha256(b"".join(pieces)).digest() if image_digest is None else image_digest
        return cls(pieces, digest, prompt or None, options or GenerationOptions(), refresh)


@dataclass(frozen=True, slots=True)
class CaptionResult:
    """A caption, its origin, and the seconds of each phase of this request itself.

    `key` is its cache key: captions with equal keys are equal.
    """

    key: str
    caption: Caption
    cache: CacheStatus
    phases: dict[Phase, float] = field(default_factory=dict)
