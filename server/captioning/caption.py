"""A caption, as it is answered and cached."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and how sure the model is of it.

    `token_ids` is the whole sequence, prompt included, as transformers' generate() returns it.
    `confidence` is the geometric mean of the probabilities of the generated tokens, [SEP] included,
    in (0, 1]; each is taken from the softmax of the decoder's logits before any logits processor.
    `finish_reason` is "length" where the caption was cut off.
    """

    text: str
    token_ids: tuple[int, ...]
    confidence: float
    finish_reason: Literal["stop", "length"]
