"""transformers' logits processors, as functions over arrays.

Shapes: logits and scores are float32 [rows, vocab]; token_ids are int64 [rows, length], prompt
included.
"""

import numpy as np
from numpy.typing import NDArray

from server.captioning.arrays import Logits, TokenIds
from server.captioning.generation.types import SearchSettings


def process(scores: Logits, token_ids: TokenIds, settings: SearchSettings) -> Logits:
    """Apply the logits processors that the settings ask for, in transformers' order."""
    if settings.repetition_penalty != 1.0:
        scores = penalize_repetition(scores, token_ids, settings.repetition_penalty)
    if settings.no_repeat_ngram_size > 0:
        scores = ban_repeated_ngrams(scores, token_ids, settings.no_repeat_ngram_size)
    if token_ids.shape[1] < settings.min_length:
        scores = scores.copy()
        scores[:, settings.end_token] = -np.inf
    return scores


def log_softmax(logits: Logits) -> Logits:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probs: Logits = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_probs


def penalize_repetition(scores: Logits, token_ids: TokenIds, penalty: float) -> Logits:
    """Apply RepetitionPenaltyLogitsProcessor: make tokens of the sequence less likely."""
    seen = np.take_along_axis(scores, token_ids, axis=-1)
    penalized = scores.copy()
    np.put_along_axis(
        penalized, token_ids, np.where(seen < 0, seen * penalty, seen / penalty), axis=-1
    )
    return penalized


def ban_repeated_ngrams(scores: Logits, token_ids: TokenIds, size: int) -> Logits:
    """Apply NoRepeatNGramLogitsProcessor: exclude tokens that would repeat an n-gram."""
    allowed = scores.copy()
    if token_ids.shape[1] >= size:
        ngrams = np.lib.stride_tricks.sliding_window_view(token_ids, size, axis=1)
        ending = token_ids[:, np.newaxis, token_ids.shape[1] - size + 1 :]
        rows, positions = np.nonzero((ngrams[..., :-1] == ending).all(axis=-1))
        allowed[rows, ngrams[rows, positions, -1]] = -np.inf
    return allowed


def top_k(values: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the indices of the k largest of a one-dimensional array, in descending order."""
    k = min(k, values.size)
    largest = np.argpartition(values, -k)[-k:]
    return largest[np.argsort(-values[largest], kind="stable")]
