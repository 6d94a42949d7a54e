"""Beam search, as in transformers."""

from dataclasses import dataclass, replace

import numpy as np

from server.captioning.arrays import Logits
from server.captioning.generation.logits_processors import log_softmax, process, top_k
from server.captioning.generation.types import (
    DecoderInput,
    GenerationRequest,
    Hypothesis,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hypothesis that continues beam `parent`."""

    parent: int
    hypothesis: Hypothesis


class BeamSearch:
    """GenerationMixin._beam_search of transformers 4.57.6, for one picture.

    Each step considers twice as many candidates as beams, so that enough remain when every beam has
    a candidate that ends. Only candidates among the best `num_beams` may end.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self._settings = request.settings
        self._prompt_length = len(request.prompt_ids)
        self._beams = [Hypothesis.of_prompt(request.prompt_ids)]
        self._ended: list[Hypothesis] = []
        self.decoder_input = DecoderInput.of_prompt(request.prompt_ids)
        self.finished: Hypothesis | None = None

    def advance(self, logits: Logits) -> None:
        """Extend every beam. `logits` is float32 [beams, vocab], one row at the first step."""
        candidates = self._candidates(logits)
        self._ended = self._best(self._ended + self._ending(candidates))
        running = [each for each in candidates if not each.hypothesis.ends(self._settings)]
        running = running[: self._settings.num_beams]
        self._beams = [each.hypothesis for each in running]
        if not self._beams or self._is_settled():
            self.finished = self._ended[0]
            return
        self.decoder_input = DecoderInput(
            np.array([beam.token_ids[-1:] for beam in self._beams]),
            np.array([each.parent for each in running]),
        )

    def _candidates(self, logits: Logits) -> list[Candidate]:
        """Return the best continuations over all beams, best first."""
        log_probs = log_softmax(logits)
        token_ids = np.array([beam.token_ids for beam in self._beams])
        processed = process(log_probs, token_ids, self._settings)
        scores = processed + np.array([[beam.score] for beam in self._beams])
        candidates = []
        for index in top_k(scores.ravel(), 2 * self._settings.num_beams):
            parent, token = divmod(int(index), scores.shape[1])
            log_prob, score = float(log_probs[parent, token]), scores[parent, token]
            candidates.append(
                Candidate(parent, self._beams[parent].extended(token, log_prob, score))
            )
        return candidates

    def _ending(self, candidates: list[Candidate]) -> list[Hypothesis]:
        """Return the candidates that end now and may, their scores normalized by length."""
        eligible = [each.hypothesis for each in candidates[: self._settings.num_beams]]
        return [
            replace(each, score=self._normalized(each.score, len(each.token_ids)))
            for each in eligible
            if each.ends(self._settings)
        ]

    def _best(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        return sorted(hypotheses, key=lambda each: -each.score)[: self._settings.num_beams]

    def _is_settled(self) -> bool:
        """Tell whether no running beam is expected to replace a hypothesis that has ended.

        This is transformers' heuristic. With early_stopping False the best beam is assumed to end
        at its present length; with "never" at `max_length`, where that would favor it.
        """
        if len(self._ended) < self._settings.num_beams:
            return False
        if self._settings.early_stopping is True:
            return True
        never = self._settings.early_stopping == "never" and self._settings.length_penalty > 0
        length = self._settings.max_length if never else len(self._beams[0].token_ids)
        return bool(self._normalized(self._beams[0].score, length) <= self._ended[-1].score)

    def _normalized(self, score: np.float32, length: int) -> np.float32:
        """Divide a score by the number of generated tokens to the power of the length penalty."""
        generated = length - self._prompt_length
        # A Python float keeps the quotient a float32, as in transformers.
        return np.float32(score / generated**self._settings.length_penalty)
