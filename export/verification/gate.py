"""Verify a model directory against transformers before it is published."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.checkpoint import Checkpoint
from export.onnx_format import GRAPH_TOLERANCE
from export.terminal.progress import Steps
from export.verification.logits import (
    LogitError,
    logit_error,
    runtime_logits,
    transformers_logits,
)
from export.verification.near_ties import choice_gaps
from export.verification.parity import Case, TokenIds, cases_for, searches_for
from export.verification.pictures import Picture
from export.verification.reference import prompt_length
from export.verification.verdict import (
    Comparison,
    Int8Measures,
    Verdict,
    judge_fp32,
    judge_int8,
)
from server.captioning.model.manifest import Precision

LOGIT_CASES = 8  # captions whose logits are compared; each has hundreds of thousands of numbers


@dataclass(frozen=True, slots=True)
class Gate:
    """The requirements on the captions. `kept_fp32` are patterns of layers not quantised."""

    precision: Precision
    min_agreement: float
    kept_fp32: tuple[str, ...]

    def cases(self, checkpoint: Checkpoint, pictures: Sequence[Picture]) -> list[Case]:
        """Return the captions to compare.

        In fp32 they test several searches. In int8 they sample what a server is asked for, so all
        use the checkpoint's own search.
        """
        if self.precision == "int8":
            return cases_for(pictures)
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
        comparison = Comparison(cases, reference, found)
        figures = {"graph_tolerance": GRAPH_TOLERANCE}
        if self.precision == "fp32":
            return judge_fp32(comparison).with_figures(figures)
        with steps.step("compare logits"):
            measures = Int8Measures(
                gaps=choice_gaps(checkpoint, cases, reference, found),
                prompt_lengths=[prompt_length(checkpoint, case) for case in cases],
                logits=_logit_error(checkpoint, directory, cases, reference),
            )
        return judge_int8(comparison, measures, self.min_agreement).with_figures(figures)


def announcement(cases: Sequence[Case]) -> str:
    """Say how many captions are compared, and of what."""
    pictures = {case.picture for case in cases}
    photographs = {picture.photograph for picture in pictures}
    searches = dict.fromkeys(case.num_beams for case in cases)
    beams = ", ".join("not given" if each is None else str(each) for each in searches)
    prompts = len({case.prompt for case in cases})
    crops = f" of {len(photographs)} photographs" if len(photographs) < len(pictures) else ""
    return (
        f"compare {len(cases)} captions of ONNX Runtime with transformers': {len(pictures)} "
        f"pictures{crops} x {prompts} prompts x {len(searches)} searches (num_beams {beams}); "
        "--pictures changes the number"
    )


def _logit_error(
    checkpoint: Checkpoint,
    directory: Path,
    cases: Sequence[Case],
    captions: Sequence[TokenIds],
) -> LogitError:
    """Compare logits along captions that are spread over all pictures."""
    chosen = range(0, len(cases), max(1, len(cases) // LOGIT_CASES))[:LOGIT_CASES]
    along = [cases[i] for i in chosen], [captions[i] for i in chosen]
    return logit_error(transformers_logits(checkpoint, *along), runtime_logits(directory, *along))
