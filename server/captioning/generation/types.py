"""Data of text generation, and the interface of search algorithms."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from server.captioning.arrays import Logits, TokenIds


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Resolved generation settings, named as in transformers' GenerationConfig.

    `max_length` counts tokens of prompt and caption together, the end token included. A sequence
    shorter than `min_length` does not end.
    """

    end_token: int
    max_length: int
    min_length: int = 0
    num_beams: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """The token ids that generation starts from, and its settings, with every default resolved."""

    prompt_ids: tuple[int, ...]
    settings: SearchSettings


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A token sequence, prompt included.

    `log_probs` has one entry for each generated token: its log-probability under the softmax of the
    decoder's logits, before any logits processor. `score` is the float32 that beams are ranked by.
    """

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: np.float32

    @classmethod
    def of_prompt(cls, prompt_ids: tuple[int, ...]) -> "Hypothesis":
        return cls(prompt_ids, (), np.float32(0))

    def extended(self, token: int, log_prob: float, score: np.float32) -> "Hypothesis":
        return Hypothesis((*self.token_ids, token), (*self.log_probs, log_prob), score)

    def ends(self, settings: SearchSettings) -> bool:
        """Tell whether the last token, a generated one, ends the sequence."""
        at_end_token = self.token_ids[-1] == settings.end_token
        return at_end_token or len(self.token_ids) >= settings.max_length


@dataclass(frozen=True, slots=True)
class DecoderInput:
    """The tokens of one decoder step.

    `tokens` is int64 [rows, new]. Row r continues row `parents[r]` of the previous step; `parents`
    is int64 [rows]. Beam search reorders its rows this way.
    """

    tokens: TokenIds
    parents: NDArray[np.intp]

    @classmethod
    def of_prompt(cls, prompt_ids: tuple[int, ...]) -> "DecoderInput":
        return cls(np.array([prompt_ids], np.int64), np.zeros(1, np.intp))


class Search(Protocol):
    """A search for the best token sequence, advanced by one decoder step at a time.

    A search knows neither how logits are computed nor which other sequences share a step.
    """

    @property
    def decoder_input(self) -> DecoderInput:
        """The tokens that the next step has to process."""

    @property
    def finished(self) -> Hypothesis | None:
        """The result, or None while more steps are needed."""

    def advance(self, logits: Logits) -> None:
        """Choose tokens by the logits float32 [rows, vocab] after each row's last token."""
