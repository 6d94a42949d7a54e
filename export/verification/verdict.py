"""Decide from compared captions whether a model directory may be published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Literal

from export.verification.logits import LogitError
from export.verification.near_ties import near_tie_gap
from export.verification.parity import Case, TokenIds, worst_difference
from export.verification.statistics import Share, share_of
from export.verification.text_overlap import rouge_l

Decision = Literal["accepted", "warned", "refused"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`figures` are for the manifest; `summary` is one line that says what was measured."""

    decision: Decision
    figures: dict[str, object]
    summary: str

    def with_figures(self, figures: Mapping[str, object]) -> "Verdict":
        return replace(self, figures={**figures, **self.figures})


@dataclass(frozen=True, slots=True)
class Comparison:
    """Captions of transformers and of the runtime, in the order of `cases`."""

    cases: Sequence[Case]
    expected: Sequence[TokenIds]
    found: Sequence[TokenIds]

    @property
    def equal(self) -> list[bool]:
        return [want == got for want, got in zip(self.expected, self.found, strict=True)]

    @property
    def photographs(self) -> list[str]:
        """Name the photograph of each caption."""
        return [case.picture.photograph for case in self.cases]

    def only(self, chosen: Sequence[bool]) -> "Comparison":
        """Return the comparison of some captions."""
        return Comparison(
            list(compress(self.cases, chosen)),
            list(compress(self.expected, chosen)),
            list(compress(self.found, chosen)),
        )

    def worst(self) -> str:
        """Show the caption that differs at the earliest token. At least one has to differ."""
        return worst_difference(self.cases, self.expected, self.found)

    def figures(self) -> dict[str, object]:
        """Return what was compared, for the manifest."""
        return {
            "photographs": len(set(self.photographs)),
            "pictures": len({case.picture for case in self.cases}),
            "prompts": list(dict.fromkeys(case.prompt for case in self.cases)),
            "num_beams": list(dict.fromkeys(case.num_beams for case in self.cases)),
            "captions": len(self.cases),
            "identical_to_transformers": sum(self.equal),
        }


def judge_fp32(comparison: Comparison) -> Verdict:
    """Accept captions that all equal transformers'. Refuse any others."""
    figures = comparison.figures()
    if all(comparison.equal):
        return Verdict("accepted", figures, f"all {len(comparison.cases)} captions are equal")
    differing = comparison.equal.count(False)
    return Verdict(
        "refused",
        figures,
        f"{differing} of {len(comparison.cases)} captions differ from transformers'; "
        f"{comparison.worst()}",
    )


@dataclass(frozen=True, slots=True)
class Int8Measures:
    """What the gate measures of int8 beside captions.

    `gaps` has a difference in logits for each caption, see `choice_gaps`. `prompt_lengths` counts
    the tokens of each caption that were given, not generated.
    """

    gaps: Sequence[float | None]
    prompt_lengths: Sequence[int]
    logits: LogitError


def judge_int8(comparison: Comparison, measures: Int8Measures, minimum: float) -> Verdict:
    """Compare the share of captions that agree with the share `minimum`.

    A caption agrees if it equals transformers', or if a near tie decided its first difference.
    """
    tie = near_tie_gap(measures.logits.gap)
    near_ties = [gap is not None and gap <= tie for gap in measures.gaps]
    agree = [same or near for same, near in zip(comparison.equal, near_ties, strict=True)]
    strict, agreement = (
        share_of(each, comparison.photographs) for each in (comparison.equal, agree)
    )
    decision = decide(agreement, minimum)
    figures: dict[str, object] = {
        **comparison.figures(),
        "identical_interval": _rounded(strict),
        "near_ties": sum(near_ties),
        "near_tie_gap": round(tie, 4),
        "agreement": round(agreement.value, 4),
        "agreement_interval": _rounded(agreement),
        "min_agreement": minimum,
        "decision": decision,
        "rouge_l": round(_mean_rouge_l(comparison, measures.prompt_lengths), 4),
        "mean_logit_error": round(measures.logits.mean, 4),
        "logit_cosine": round(measures.logits.cosine, 6),
        "gap_error": round(measures.logits.gap, 4),
    }
    summary = (
        f"{agreement.value:.1%} of {agreement.captions} captions agree with transformers' (95% "
        f"interval {agreement.interval}; {strict.agreeing} are equal token for token, "
        f"{sum(near_ties)} up to a near tie), and --min-agreement is {minimum:.1%}."
    )
    if decision != "accepted":
        differing = comparison.only([not each for each in agree])
        summary += (
            f" {len(differing.cases)} captions differ from transformers' by more; "
            f"{differing.worst()}"
        )
    return Verdict(decision, figures, summary)


def decide(agreement: Share, minimum: float) -> Decision:
    """Accept by the measured share. Refuse if the whole interval is below `minimum`."""
    if agreement.value >= minimum:
        return "accepted"
    return "refused" if agreement.interval.high < minimum else "warned"


def _mean_rouge_l(comparison: Comparison, prompt_lengths: Sequence[int]) -> float:
    """Average ROUGE-L over the generated tokens of all captions."""
    captions = zip(comparison.expected, comparison.found, prompt_lengths, strict=True)
    scores = [rouge_l(want[given:], got[given:]) for want, got, given in captions]
    return sum(scores) / len(scores)


def _rounded(share: Share) -> list[float]:
    return [round(share.interval.low, 4), round(share.interval.high, 4)]
