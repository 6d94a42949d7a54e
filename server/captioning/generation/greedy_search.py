"""Greedy search, as in transformers."""

import numpy as np

from server.captioning.arrays import Logits
from server.captioning.generation.logits_processors import log_softmax, process
from server.captioning.generation.types import (
    DecoderInput,
    GenerationRequest,
    Hypothesis,
)


class GreedySearch:
    """GenerationMixin._sample of transformers 4.57.6 with do_sample=False, for one picture."""

    def __init__(self, request: GenerationRequest) -> None:
        self._settings = request.settings
        self._hypothesis = Hypothesis.of_prompt(request.prompt_ids)
        self.decoder_input = DecoderInput.of_prompt(request.prompt_ids)
        self.finished: Hypothesis | None = None

    def advance(self, logits: Logits) -> None:
        """Append the most likely token. `logits` is float32 [1, vocab]."""
        scores = process(logits, np.array([self._hypothesis.token_ids]), self._settings)
        token = int(scores[0].argmax())
        log_prob = float(log_softmax(logits)[0, token])
        self._hypothesis = self._hypothesis.extended(token, log_prob, scores[0, token])
        self.decoder_input = DecoderInput(np.array([[token]]), np.zeros(1, np.intp))
        if self._hypothesis.ends(self._settings):
            self.finished = self._hypothesis
