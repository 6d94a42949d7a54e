"""A caption and how it came about."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds."""

    preprocess: float
    encode: float
    decode: float


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and how it came about.

    `token_ids` is the whole sequence, prompt included, as generate() returns it. `confidence` is
    the mean log-probability of the generated tokens, [SEP] included, each under the softmax of the
    decoder's logits before any penalty. `finish_reason` is "length" where the caption was cut off.
    """

    text: str
    token_ids: tuple[int, ...]
    confidence: float
    finish_reason: Literal["stop", "length"]
    timings: Timings
