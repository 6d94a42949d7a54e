"""Score how much of a reference caption another caption has: ROUGE-L."""

from collections.abc import Sequence
from itertools import pairwise


def rouge_l(expected: Sequence[int], found: Sequence[int]) -> float:
    """Return ROUGE-L between two token sequences, from 0 to 1.

    It is the F-measure, with equal weights, of the longest common subsequence (Lin, "ROUGE: A
    Package for Automatic Evaluation of Summaries", 2004, section 3.1). Two empty sequences score 1.
    """
    if not expected and not found:
        return 1.0
    return 2 * common_subsequence(expected, found) / (len(expected) + len(found))


def common_subsequence(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the length of the longest common subsequence."""
    lengths = [0] * (len(other) + 1)
    for token in one:
        row = [0]
        for candidate, (diagonal, above) in zip(other, pairwise(lengths), strict=True):
            row.append(diagonal + 1 if token == candidate else max(above, row[-1]))
        lengths = row
    return lengths[-1]
