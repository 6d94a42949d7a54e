"""What transformers does to the scores of a decoder step, as functions over arrays.

Shapes: scores are float32 [rows, vocab]; token_ids are int64 [rows, length], prompt included.
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
TokenIds = NDArray[np.int64]


def log_softmax(logits: Scores) -> Scores:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probs: Scores = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_probs


def penalise_repetition(scores: Scores, token_ids: TokenIds, penalty: float) -> Scores:
    """RepetitionPenaltyLogitsProcessor: tokens already in the sequence become less likely."""
    seen = np.take_along_axis(scores, token_ids, axis=-1)
    penalised = scores.copy()
    np.put_along_axis(
        penalised, token_ids, np.where(seen < 0, seen * penalty, seen / penalty), axis=-1
    )
    return penalised


def ban_repeated_ngrams(scores: Scores, token_ids: TokenIds, size: int) -> Scores:
    """NoRepeatNGramLogitsProcessor: no token that would complete an n-gram a second time."""
    allowed = scores.copy()
    if token_ids.shape[1] >= size:
        ngrams = np.lib.stride_tricks.sliding_window_view(token_ids, size, axis=1)
        ending = token_ids[:, np.newaxis, token_ids.shape[1] - size + 1 :]
        rows, positions = np.nonzero((ngrams[..., :-1] == ending).all(axis=-1))
        allowed[rows, ngrams[rows, positions, -1]] = -np.inf
    return allowed


def top_k(values: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Indices of the k largest of a one-dimensional array, in descending order."""
    k = min(k, values.size)
    largest = np.argpartition(values, -k)[-k:]
    return largest[np.argsort(-values[largest], kind="stable")]
