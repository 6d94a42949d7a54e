"""Beam search as transformers has it."""

from dataclasses import dataclass, replace

import numpy as np

from server.captioning.generation.logits_processors import Scores, log_softmax, top_k
from server.captioning.generation.types import Feed, Hypothesis, Search, SearchSettings


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hypothesis that continues beam `parent`."""

    parent: int
    hypothesis: Hypothesis


def beam_search(prompt_ids: tuple[int, ...], settings: SearchSettings) -> Search:
    """GenerationMixin._beam_search of transformers 4.57.6, for one picture.

    There are twice as many candidates as beams, so that enough are left to go on with when every
    beam ends in one; but only those among the best `num_beams` may end.
    """
    beams = [Hypothesis.of_prompt(prompt_ids)]
    finished: list[Hypothesis] = []
    feed = Feed.of_prompt(prompt_ids)
    while True:
        logits = yield feed
        candidates = _candidates(beams, logits, settings)
        finished = _best(finished + _finishing(candidates, settings, len(prompt_ids)), settings)
        running = [each for each in candidates if not each.hypothesis.ends(settings)]
        running = running[: settings.num_beams]
        beams = [each.hypothesis for each in running]
        if not beams or _is_settled(finished, beams[0], settings, len(prompt_ids)):
            return finished[0]
        feed = Feed(
            np.array([beam.token_ids[-1:] for beam in beams]),
            np.array([each.parent for each in running]),
        )


def _candidates(
    beams: list[Hypothesis], logits: Scores, settings: SearchSettings
) -> list[Candidate]:
    """The best continuations over all beams, best first."""
    log_probs = log_softmax(logits)
    processed = settings.process(log_probs, np.array([beam.token_ids for beam in beams]))
    scores = processed + np.array([[beam.score] for beam in beams])
    candidates = []
    for index in top_k(scores.ravel(), 2 * settings.num_beams):
        parent, token = divmod(int(index), scores.shape[1])
        log_prob, score = float(log_probs[parent, token]), scores[parent, token]
        candidates.append(Candidate(parent, beams[parent].extended(token, log_prob, score)))
    return candidates


def _finishing(
    candidates: list[Candidate], settings: SearchSettings, prompt_length: int
) -> list[Hypothesis]:
    """Those that end here and may, with their scores normalised by length."""
    eligible = [each.hypothesis for each in candidates[: settings.num_beams]]
    return [
        replace(each, score=_normalised(each.score, len(each.token_ids) - prompt_length, settings))
        for each in eligible
        if each.ends(settings)
    ]


def _best(hypotheses: list[Hypothesis], settings: SearchSettings) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda each: -each.score)[: settings.num_beams]


def _is_settled(
    finished: list[Hypothesis], best: Hypothesis, settings: SearchSettings, prompt_length: int
) -> bool:
    """Whether no running beam, of which `best` leads, is thought able to replace a finished one.

    The heuristic of transformers: with early_stopping False `best` is taken to end here, with
    "never" at the greatest length where that would favour it.
    """
    if len(finished) < settings.num_beams:
        return False
    if settings.early_stopping is True:
        return True
    to_greatest_length = settings.early_stopping == "never" and settings.length_penalty > 0
    length = settings.max_length if to_greatest_length else len(best.token_ids)
    return bool(_normalised(best.score, length - prompt_length, settings) <= finished[-1].score)


def _normalised(score: np.float32, generated: int, settings: SearchSettings) -> np.float32:
    # A Python float keeps the quotient a float32, as in transformers.
    return np.float32(score / generated**settings.length_penalty)
