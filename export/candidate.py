"""Make a candidate, a model directory in the work directory, and have the gate judge it."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.checkpoint import Checkpoint
from export.errors import CaptionMismatch
from export.int8.quantise import quantise
from export.int8.rescaling import Smoothing
from export.manifest import describe
from export.stages.digests import Key
from export.stages.directory import WorkDirectory
from export.terminal.progress import Steps
from export.verification.gate import Gate
from export.verification.parity import Case, TokenIds, runtime_captions
from export.verification.verdict import Verdict
from server.captioning.model.directory import FILES, TOKENIZER, write_manifest
from server.captioning.model.manifest import Manifest

CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Material:
    """What the candidates of one export are made from and judged by.

    `graphs` has the fp32 graphs and the tokenizer. `reference` has transformers' caption for each
    of `cases`, and `key` says what it depends on. `smoothing` was applied to the checkpoint.
    """

    checkpoint: Checkpoint
    graphs: Path
    cases: Sequence[Case]
    reference: Sequence[TokenIds]
    key: Key
    gate: Gate
    name: str
    work: WorkDirectory
    steps: Steps
    smoothing: Smoothing | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A complete model directory with the verdict on it. `kept` are its layers in fp32."""

    directory: Path
    manifest: Manifest
    verdict: Verdict
    kept: tuple[str, ...]

    @property
    def refused(self) -> bool:
        return self.verdict.decision == "refused"


def make_candidate(material: Material, kept: tuple[str, ...]) -> Candidate:
    """Write and judge a candidate, in place of an earlier one. `kept` are patterns of layers.

    Raises QuantisationError, and CaptionMismatch for captions that no retry can mend.
    """
    directory = material.work.scratch(CANDIDATE)
    _write_files(material, directory, kept)
    unverified = describe(material.checkpoint, directory, material.name, material.gate.precision)
    write_manifest(directory, unverified)
    verdict = _judge(material, directory)
    figures = verdict.figures
    if material.gate.precision == "int8":
        smoothing = material.smoothing.figures if material.smoothing else {}
        figures = {**figures, **smoothing, "kept_fp32": list(kept)}
    elif verdict.decision == "refused":
        raise CaptionMismatch(verdict.summary)
    manifest = replace(unverified, verification=figures)
    write_manifest(directory, manifest)
    return Candidate(directory, manifest, verdict, kept)


def _write_files(material: Material, directory: Path, kept: tuple[str, ...]) -> None:
    if material.gate.precision == "fp32":
        for file in FILES:
            link(material.graphs / file, directory / file)
        return
    link(material.graphs / TOKENIZER, directory / TOKENIZER)
    with material.steps.step("quantise to int8"):
        quantise(material.graphs, material.checkpoint.model.config, kept, into=directory)


def _judge(material: Material, directory: Path) -> Verdict:
    cases, steps = material.cases, material.steps
    found = steps.each(
        "caption with ONNX Runtime", runtime_captions(directory, cases), len(cases), "captions"
    )
    return material.gate.judge(
        material.reference, found, cases, material.checkpoint, directory, steps
    )


def link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
