"""Tell differing captions that int8 had to decide by chance from those it got wrong."""

import math
from collections.abc import Sequence

from export.checkpoint import Checkpoint
from export.verification.parity import Case, TokenIds, common_length
from export.verification.reference import batches, encode, generate, parts, prompt_length

#: The greatest difference in logits of a near tie: transformers finds the other token at least 90 %
#: as likely. Without this limit a damaged model's large errors would excuse every difference.
MAX_GAP = math.log(1 / 0.9)


def near_tie_gap(usual_error: float) -> float:
    """Return the difference in logits up to which two tokens are a near tie."""
    return min(usual_error, MAX_GAP)


def choice_gaps(
    checkpoint: Checkpoint,
    cases: Sequence[Case],
    expected: Sequence[TokenIds],
    found: Sequence[TokenIds],
) -> list[float | None]:
    """Return by how much transformers preferred its token where a caption differs first.

    This is a difference in logits, as the logits processors left them. It is None for equal
    captions, and with beams, where the sums of whole sequences decide.
    """
    greedy = [(case.num_beams or checkpoint.generation.num_beams) == 1 for case in cases]
    differing = [i for i, alone in enumerate(greedy) if alone and expected[i] != found[i]]
    gaps: list[float | None] = [None] * len(cases)
    for part in parts([cases[i] for i in differing]):
        together = differing[part]
        chosen = [cases[i] for i in together]
        encoded = encode(checkpoint, (case.picture for case in chosen))
        for batch in batches(checkpoint, chosen):
            output = generate(
                checkpoint,
                encoded,
                [chosen[each] for each in batch],
                output_scores=True,
                return_dict_in_generate=True,
            )
            for row, each in enumerate(batch):
                i = together[each]
                place = common_length(expected[i], found[i])
                scores = output.scores[place - prompt_length(checkpoint, cases[i])][row]
                gaps[i] = float(scores[expected[i][place]] - scores[found[i][place]])
    return gaps
