"""Verify a model directory against transformers before it is published, and return the figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.checkpoint import Checkpoint
from export.errors import CaptionMismatch
from export.onnx_configs import BlipOnnxConfig
from export.terminal.progress import Steps
from export.verification.logits import logit_error, runtime_logits, transformers_logits
from export.verification.parity import (
    PROMPTS,
    Case,
    TokenIds,
    cases_for,
    check_equal,
    runtime_captions,
    searches_for,
    transformers_captions,
)
from export.verification.pictures import Picture
from export.verification.sensitivity import layer_sensitivities
from server.captioning.model.manifest import Precision

LOGIT_CASES = 8  # captions whose logits are compared; each has hundreds of thousands of numbers
NAMED_LAYERS = 5


@dataclass(frozen=True, slots=True)
class Gate:
    """The requirements on the captions. `kept_fp32` are patterns of layers not quantised."""

    precision: Precision
    min_agreement: float
    kept_fp32: tuple[str, ...]

    def verify(
        self, checkpoint: Checkpoint, directory: Path, pictures: Sequence[Picture], steps: Steps
    ) -> dict[str, object]:
        """Return figures for the manifest. Raises CaptionMismatch."""
        searches = searches_for(checkpoint.generation.num_beams)
        cases = cases_for(pictures, searches)
        steps.announce(announcement(len(pictures), searches))
        # The pipelines run one after the other, because their thread pools would compete.
        expected = steps.each(
            "caption with transformers",
            transformers_captions(checkpoint, cases),
            len(cases),
            "captions",
        )
        found = steps.each(
            "caption with ONNX Runtime", runtime_captions(directory, cases), len(cases), "captions"
        )
        try:
            agreement = check_equal(cases, expected, found, self.min_agreement)
        except CaptionMismatch as exc:
            if self.precision == "fp32":
                raise
            advice = self._advice(checkpoint, cases, expected, steps)
            raise CaptionMismatch(f"{exc} {advice}") from exc
        figures: dict[str, object] = {
            "graph_tolerance": BlipOnnxConfig.ATOL_FOR_VALIDATION,
            "pictures": len(pictures),
            "prompts": list(PROMPTS),
            "num_beams": list(searches),
            "captions": agreement.captions,
            "identical_to_transformers": agreement.identical,
        }
        if self.precision == "int8":
            figures |= {
                "min_agreement": self.min_agreement,
                "kept_fp32": list(self.kept_fp32),
                "token_agreement": round(agreement.tokens, 4),
                **_logit_figures(checkpoint, directory, cases, expected, steps),
            }
        return figures

    def _advice(
        self,
        checkpoint: Checkpoint,
        cases: Sequence[Case],
        captions: Sequence[TokenIds],
        steps: Steps,
    ) -> str:
        """Name the layers whose quantisation changes the logits most, and the remedies."""
        with steps.step("rank the layers by their int8 error"):
            layers = sorted(
                layer_sensitivities(checkpoint, cases[:1], captions[:1]),
                key=lambda each: -each.error,
            )
        worst = ", ".join(f"{each.layer} ({each.error:.2g})" for each in layers[:NAMED_LAYERS])
        return (
            f"--min-agreement requires {self.min_agreement:.1%} equal captions. The layers that "
            f"change the logits most: {worst}; keep them in fp32 with --keep-fp32, compare on "
            "pictures of your own with --images, or lower --min-agreement."
        )


def announcement(pictures: int, searches: Sequence[int | None]) -> str:
    """Say how many captions are compared, and of what."""
    beams = ", ".join("not given" if each is None else str(each) for each in searches)
    captions = pictures * len(PROMPTS) * len(searches)
    return (
        f"compare {captions} captions of ONNX Runtime with transformers': {pictures} pictures x "
        f"{len(PROMPTS)} prompts x {len(searches)} searches (num_beams {beams}); "
        "--pictures changes the number"
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
