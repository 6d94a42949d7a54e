"""What every pipeline does, so that all can be timed alike."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of one caption, and the tokens generated, prompt excluded.

    Where the keys and values of cross-attention are made, in encode or in decode, is the
    pipeline's own affair.
    """

    preprocess: float
    encode: float
    decode: float
    token_ids: tuple[int, ...]


class Pipeline(Protocol):
    """A loaded model."""

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        """Caption a picture in exactly so many tokens, whatever the model would end with."""
        ...


@dataclass(slots=True)
class Stopwatch:
    """Seconds since the last lap."""

    _last: float = field(default_factory=perf_counter)

    def lap(self) -> float:
        now = perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
