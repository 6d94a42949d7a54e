"""Token by token to a caption, as transformers' `generate` goes."""

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np

from server.captioning.generation.beam_search import beam_search
from server.captioning.generation.logits_processors import Scores, log_softmax
from server.captioning.generation.types import Feed, Hypothesis, Search, SearchSettings

Want = TypeVar("Want")
Found = TypeVar("Found")


def start(prompt_ids: tuple[int, ...], settings: SearchSettings) -> Search:
    """The search that `settings` ask for, from a prompt shorter than `settings.max_length`."""
    if settings.num_beams == 1:
        return greedy_search(prompt_ids, settings)
    return beam_search(prompt_ids, settings)


def run(wanting: Generator[Want, Scores, Found], step: Callable[[Want], Scores]) -> Found:
    """Drive to its end what wants the logits after one feed, then those after the next."""
    try:
        want = next(wanting)
        while True:
            want = wanting.send(step(want))
    except StopIteration as stop:
        found: Found = stop.value
        return found


def greedy_search(prompt_ids: tuple[int, ...], settings: SearchSettings) -> Search:
    """GenerationMixin._sample of transformers 4.57.6 with do_sample=False."""
    found = Hypothesis.of_prompt(prompt_ids)
    feed = Feed.of_prompt(prompt_ids)
    while True:
        logits = yield feed
        scores = settings.process(logits, np.array([found.token_ids]))
        token = int(scores[0].argmax())
        found = found.extended(token, float(log_softmax(logits)[0, token]), scores[0, token])
        if found.ends(settings):
            return found
        feed = Feed(np.array([[token]]), np.zeros(1, np.intp))
