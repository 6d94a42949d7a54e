"""Captions of transformers made in batches are those made one at a time."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BlipProcessor

from export.checkpoint import Checkpoint, load_checkpoint
from export.sources import Source
from export.verification.logits import transformers_logits
from export.verification.near_ties import choice_gaps
from export.verification.parity import Case, TokenIds, runtime_captions
from export.verification.pictures import generate_pictures
from export.verification.reference import MAX_ROWS, parts, transformers_captions
from server.captioning.arrays import Pixels
from server.captioning.captioner import BlipCaptioner
from server.captioning.model.encoder import EncodedImage
from tests.export.checkpoints import TINY, build_checkpoint
from tests.export.test_generation import OWN, update

PICTURES = generate_pictures(9)
#: Of 1, 2, 4 and 4 tokens with the first one.
PROMPTS = (None, "there", "a picture of", "a photo of")


def load(directory: Path, **settings: object) -> Checkpoint:
    """Build a tiny checkpoint whose text decoder has `settings`, and load it."""
    checkpoint = build_checkpoint(directory, TINY)
    update(checkpoint / "config.json", "text_config", settings)
    return load_checkpoint(Source(checkpoint, "tiny", None))


def one_by_one(checkpoint: Checkpoint, cases: list[Case]) -> list[TokenIds]:
    """Caption each case as a user of transformers does."""
    processor: Any = BlipProcessor(checkpoint.image_processor, checkpoint.tokenizer)
    captions = []
    for case in cases:
        inputs = processor(case.picture.decode(), case.prompt, return_tensors="pt")
        if case.num_beams is not None:
            inputs["num_beams"] = case.num_beams
        with torch.inference_mode():
            captions.append(tuple(checkpoint.model.generate(**inputs)[0].tolist()))
    return captions


@pytest.mark.parametrize("settings", [{}, OWN], ids=["library", "own"])
def test_batches_give_the_captions_of_single_pictures(
    settings: dict[str, object], tmp_path: Path
) -> None:
    """Over prompts of several lengths, greedy and beams, and captions of several lengths."""
    checkpoint = load(tmp_path / "checkpoint", **settings)
    cases = [
        Case(picture, prompt, beams)
        for picture in PICTURES
        for prompt in PROMPTS
        for beams in (None, 3)
    ]
    expected = one_by_one(checkpoint, cases)
    assert list(transformers_captions(checkpoint, cases)) == expected
    assert len({len(caption) for caption in expected}) > 3
    assert len(set(expected)) > 10


@pytest.fixture(scope="module")
def tiny(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(Source(tiny_checkpoint, "tiny", None))


CASES = [Case(picture, prompt, None) for picture in PICTURES for prompt in PROMPTS]


def test_transformers_encodes_a_picture_once(tiny: Checkpoint) -> None:
    """However many prompts it is captioned with. Afterwards the vision model is there again."""
    encoded = []
    hook = tiny.model.vision_model.register_forward_hook(lambda *_: encoded.append(1))
    try:
        assert len(list(transformers_captions(tiny, CASES))) == len(CASES)
        assert len(encoded) == len(PICTURES)
        one_by_one(tiny, CASES[:1])
        assert len(encoded) == len(PICTURES) + 1
    finally:
        hook.remove()


def test_the_runtime_encodes_a_picture_once(
    tiny_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many prompts it is captioned with."""
    encoded = []
    encode = BlipCaptioner.encode

    def count(self: BlipCaptioner, pixels: Pixels) -> EncodedImage:
        encoded.append(pixels)
        return encode(self, pixels)

    monkeypatch.setattr(BlipCaptioner, "encode", count)
    assert len(list(runtime_captions(tiny_export, CASES))) == len(CASES)
    assert len(encoded) == len(PICTURES)


def test_cases_are_cut_at_pictures() -> None:
    """Every case is in one part, and a picture's cases are in the same one."""
    found = [CASES[part] for part in parts(CASES)]
    assert [case for part in found for case in part] == CASES
    assert len(found) == 2
    assert not {case.picture for case in found[0]} & {case.picture for case in found[1]}
    assert parts([]) == []


def test_the_gap_is_how_far_transformers_preferred_its_token(tiny: Checkpoint) -> None:
    """It is read where a caption differs first, and is None where none differs."""
    cases = CASES[: MAX_ROWS + 4]
    expected = list(transformers_captions(tiny, cases))
    logits = list(transformers_logits(tiny, cases, expected))
    # Every other caption ends with another token than transformers'.
    found = [(*each[:-1], 7) if i % 2 else each for i, each in enumerate(expected)]
    gaps = choice_gaps(tiny, cases, expected, found)
    assert gaps[::2] == [None] * len(gaps[::2])
    for i in range(1, len(cases), 2):
        last = logits[i][-1]
        assert gaps[i] == pytest.approx(last[expected[i][-1]] - last[7], abs=1e-4)
        assert last.argmax() == expected[i][-1]


def test_beams_have_no_gap(tiny: Checkpoint) -> None:
    """No single token decides between sequences."""
    case = Case(PICTURES[0], None, 3)
    assert choice_gaps(tiny, [case], [(1, 2, 3)], [(1, 2, 4)]) == [None]
