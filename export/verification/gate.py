"""Verify a model directory against transformers before it is published, and return the figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.checkpoint import Checkpoint
from export.errors import CaptionMismatch
from export.onnx_format import GRAPH_TOLERANCE
from export.terminal.progress import Steps
from export.verification.logits import logit_error, runtime_logits, transformers_logits
from export.verification.parity import (
    PROMPTS,
    Case,
    TokenIds,
    agreement,
    cases_for,
    check_equal,
    searches_for,
)
from export.verification.pictures import Picture
from export.verification.verdict import Verdict
from server.captioning.model.manifest import Precision

LOGIT_CASES = 8  # captions whose logits are compared; each has hundreds of thousands of numbers


@dataclass(frozen=True, slots=True)
class Gate:
    """The requirements on the captions. `kept_fp32` are patterns of layers not quantised."""

    precision: Precision
    min_agreement: float
    kept_fp32: tuple[str, ...]

    def cases(self, checkpoint: Checkpoint, pictures: Sequence[Picture]) -> list[Case]:
        """Return the captions to compare."""
        return cases_for(pictures, searches_for(checkpoint.generation.num_beams))

    def judge(
        self,
        reference: Sequence[TokenIds],
        found: Sequence[TokenIds],
        cases: Sequence[Case],
        checkpoint: Checkpoint,
        directory: Path,
        steps: Steps,
    ) -> Verdict:
        """Compare the captions of a model directory with transformers'."""
        measured = agreement(reference, found)
        figures: dict[str, object] = {
            "graph_tolerance": GRAPH_TOLERANCE,
            "pictures": len({case.picture.name for case in cases}),
            "prompts": list(PROMPTS),
            "num_beams": list(dict.fromkeys(case.num_beams for case in cases)),
            "captions": measured.captions,
            "identical_to_transformers": measured.identical,
        }
        if self.precision == "int8":
            figures |= {
                "min_agreement": self.min_agreement,
                "token_agreement": round(measured.tokens, 4),
                **_logit_figures(checkpoint, directory, cases, reference, steps),
            }
        try:
            check_equal(cases, reference, found, self.min_agreement)
        except CaptionMismatch as exc:
            return Verdict("refused", figures, str(exc))
        summary = f"{measured.identical} of {measured.captions} captions equal transformers'"
        return Verdict("accepted", figures, summary)


def announcement(cases: Sequence[Case]) -> str:
    """Say how many captions are compared, and of what."""
    searches = dict.fromkeys(case.num_beams for case in cases)
    beams = ", ".join("not given" if each is None else str(each) for each in searches)
    return (
        f"compare {len(cases)} captions of ONNX Runtime with transformers': "
        f"{len({case.picture.name for case in cases})} pictures x {len(PROMPTS)} prompts x "
        f"{len(searches)} searches (num_beams {beams}); --pictures changes the number"
    )


def _logit_figures(
    checkpoint: Checkpoint,
    directory: Path,
    cases: Sequence[Case],
    captions: Sequence[TokenIds],
    steps: Steps,
) -> dict[str, object]:
    along = cases[:LOGIT_CASES], captions[:LOGIT_CASES]
    with steps.step("compare logits"):
        error = logit_error(
            transformers_logits(checkpoint, *along), runtime_logits(directory, *along)
        )
    return {"mean_logit_error": round(error.mean, 4), "logit_cosine": round(error.cosine, 6)}
