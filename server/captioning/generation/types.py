"""What searches are made of: settings, hypotheses, and the talk between a search and a decoder."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from server.captioning.generation.logits_processors import (
    Scores,
    TokenIds,
    ban_repeated_ngrams,
    penalise_repetition,
)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Named as in transformers. `max_length` counts prompt and caption, the end token included."""

    end_token: int
    max_length: int
    num_beams: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False

    def process(self, scores: Scores, token_ids: TokenIds) -> Scores:
        """The logits processors, in transformers' order."""
        if self.repetition_penalty != 1.0:
            scores = penalise_repetition(scores, token_ids, self.repetition_penalty)
        if self.no_repeat_ngram_size > 0:
            scores = ban_repeated_ngrams(scores, token_ids, self.no_repeat_ngram_size)
        return scores


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A sequence, prompt included.

    `log_probs` has one entry for each generated token: its log-probability under the softmax of
    the decoder's logits, before any penalty. `score` is what a beam is ranked by, a float32.
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
        """Whether its last token, a generated one, was its last."""
        at_end_token = self.token_ids[-1] == settings.end_token
        return at_end_token or len(self.token_ids) >= settings.max_length


@dataclass(frozen=True, slots=True)
class Feed:
    """What the decoder has to see next.

    New tokens int64 [rows, new]; row r continues row `parents[r]` of the feed before.
    """

    tokens: TokenIds
    parents: NDArray[np.intp]

    @classmethod
    def of_prompt(cls, prompt_ids: tuple[int, ...]) -> "Feed":
        return cls(np.array([prompt_ids], np.int64), np.zeros(1, np.intp))


#: A search yields what the decoder has to see next and is sent the logits float32 [rows, vocab]
#: after each row's last token, so it knows neither how they are computed nor whether other searches
#: share the step.
Search = Generator[Feed, Scores, Hypothesis]
