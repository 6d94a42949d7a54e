"""After a refusal: rank the layers, and name the worst or keep them in fp32 and try again."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path

from export.candidate import Candidate, Material, make_candidate
from export.verification.sensitivity import Sensitivity, SensitivityPass

STAGE = "sensitivity"
RANKING = "layers.json"
NAMED_LAYERS = 5
#: The largest share of the layers that --keep-fp32 auto keeps. Beyond it int8 gains too little.
MAX_SHARE = 0.25


def rank_layers(material: Material) -> list[Sensitivity]:
    """Return all layers, the one that int8 changes most first. The ranking is a stage."""

    def write(directory: Path) -> None:
        errors = SensitivityPass(material.checkpoint, material.cases, material.reference)
        found = material.steps.each(
            "rank the layers by their int8 error", errors, len(errors), "layers"
        )
        ranking = sorted(found, key=lambda each: -each.error)
        text = json.dumps([asdict(each) for each in ranking], indent=1)
        (directory / RANKING).write_text(text, encoding="utf-8")

    stage = material.work.stage(STAGE, material.key, write)
    ranking = json.loads((stage / RANKING).read_text(encoding="utf-8"))
    return [Sensitivity(**each) for each in ranking]


def retry(material: Material, refused: Candidate) -> Candidate:
    """Keep more and more of the worst layers in fp32 until a candidate is not refused.

    Returns the last candidate: a refused one if MAX_SHARE of the layers does not suffice.
    """
    ranking = rank_layers(material)
    worst = [each.layer for each in not_kept(ranking, refused.kept)]
    candidate, announce = refused, material.steps.announce
    announce(f"try 1: {refused.verdict.summary}")
    for number, count in enumerate(counts(len(ranking)), start=2):
        added = worst[:count]
        announce(f"try {number}: keep {count} more in fp32: {', '.join(added)}")
        candidate = make_candidate(material, (*refused.kept, *added))
        announce(f"try {number}: {candidate.verdict.decision}: {candidate.verdict.summary}")
        if not candidate.refused:
            break
    return candidate


def counts(layers: int) -> Iterator[int]:
    """Yield how many layers to keep, try by try: 1, 2, 4, up to MAX_SHARE of all."""
    count = 1
    while count <= max(1, layers * MAX_SHARE):
        yield count
        count *= 2


def not_kept(ranking: Sequence[Sensitivity], kept: Sequence[str]) -> list[Sensitivity]:
    """Return the layers that none of the patterns `kept` fits."""
    return [
        each for each in ranking if not any(fnmatchcase(each.layer, pattern) for pattern in kept)
    ]


def advice(material: Material, refused: Candidate) -> str:
    """Name the layers whose quantisation changes the logits most, and the remedies."""
    worst = not_kept(rank_layers(material), refused.kept)[:NAMED_LAYERS]
    named = ", ".join(f"{each.layer} ({each.error:.2g})" for each in worst)
    return (
        f"The layers that change the logits most: {named}; keep them in fp32 with --keep-fp32, or "
        "as many as it takes with --keep-fp32 auto, compare on pictures of your own with "
        "--images, or lower --min-agreement."
    )
