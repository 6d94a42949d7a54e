"""The interface of a pipeline, so that all of them are timed alike."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Phases:
    """The seconds of one caption, and its generated tokens without the start token.

    A pipeline may compute cross-attention keys and values in either phase.
    """

    preprocess: float
    encode: float
    decode: float
    token_ids: tuple[int, ...]


class Pipeline(Protocol):
    """A loaded model."""

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        """Caption a picture by greedy search, to [SEP] or `tokens` new tokens."""
        ...


@dataclass(slots=True)
class Stopwatch:
    """Measures the seconds since the last lap."""

    _last: float = field(default_factory=perf_counter)

    def lap(self) -> float:
        now = perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
