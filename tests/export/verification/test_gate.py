"""The gate on the committed model: what int8 of a trained model is accepted, warned and refused."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from export.__main__ import main
from export.checkpoint import Checkpoint, load_checkpoint
from export.sources import Source
from export.terminal.progress import show_steps
from export.verification.gate import Gate, announcement
from export.verification.parity import Case, TokenIds
from export.verification.photographs import read_photographs
from export.verification.pictures import read_pictures
from export.verification.reference import transformers_captions
from server.captioning.model.directory import read_manifest
from tests.committed_model import EXAMPLES, MODEL

SCENES = MODEL / "examples"


@pytest.fixture(scope="module")
def committed() -> Checkpoint:
    return load_checkpoint(Source(MODEL / "checkpoint", "emoji_blip", None))


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed model in int8, accepted on its own example pictures."""
    output = tmp_path_factory.mktemp("int8") / "emoji_blip"
    flags = ["--precision", "int8", "--images", str(SCENES)]
    assert main([str(MODEL / "checkpoint"), str(output), *flags]) == 0
    return output


def test_int8_of_a_trained_model_is_accepted_on_pictures_of_its_kind(int8: Path) -> None:
    """The manifest says on how many captions, how sure it is, and how far the logits are."""
    figures: Any = read_manifest(int8).verification
    assert figures["decision"] == "accepted"
    assert figures["captions"] == len(EXAMPLES) * 4
    assert figures["photographs"] == len(EXAMPLES)
    low, high = figures["agreement_interval"]
    assert 0.7 < low < high == 1
    assert 0 < figures["gap_error"] < 1


def test_captions_of_other_pictures_are_refused(committed: Checkpoint, int8: Path) -> None:
    """Verdict and reason come back, and nothing is raised."""
    gate = Gate("int8", min_agreement=0.98, kept_fp32=())
    cases = gate.cases(committed, read_pictures(SCENES))
    captions = list(transformers_captions(committed, cases))
    others = [*captions[4:], *captions[:4]]
    with show_steps() as steps:
        verdict = gate.judge(captions, others, cases, committed, int8, steps)
    assert verdict.decision == "refused"
    assert "captions differ from transformers' by more; the worst (a-" in verdict.summary
    assert verdict.figures["near_ties"] == 0


def test_a_warning_is_printed_and_the_model_is_published(
    committed: Checkpoint,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All captions of one picture differ, which says little of other pictures."""

    def spoil(_: Path, cases: Sequence[Case]) -> Iterator[TokenIds]:
        for case, caption in zip(cases, transformers_captions(committed, cases), strict=True):
            yield (*caption[:-2], 7) if case.picture.name == EXAMPLES[0].name else caption

    monkeypatch.setattr("export.candidate.runtime_captions", spoil)
    flags = ["--precision", "int8", "--images", str(SCENES)]
    assert main([str(MODEL / "checkpoint"), str(output), *flags]) == 0
    assert "warning: 90.9% of 44 captions agree" in capsys.readouterr().err
    assert read_manifest(output).verification["decision"] == "warned"


def test_int8_is_compared_on_photographs_with_the_own_search(committed: Checkpoint) -> None:
    """At least 200 captions, which the first line of the comparison counts."""
    gate = Gate("int8", min_agreement=0.98, kept_fp32=())
    cases = gate.cases(committed, read_photographs())
    assert {case.num_beams for case in cases} == {None}
    assert len(cases) >= 200
    assert announcement(cases).startswith(f"compare {len(cases)} captions of ONNX Runtime")
    assert "photographs x 4 prompts x 1 searches" in announcement(cases)
