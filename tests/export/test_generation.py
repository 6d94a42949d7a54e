"""The checkpoint's own generation settings: which are exported, refused and compared."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BlipForConditionalGeneration, BlipProcessor

from export.__main__ import main
from export.verification.parity import PROMPTS, TokenIds, cases_for, options_for
from export.verification.pictures import generate_pictures
from server.captioning.captioner import BlipCaptioner
from server.captioning.generation.types import GenerationRequest
from server.captioning.model.directory import read_manifest
from server.captioning.options import GenerationOptions
from tests.export.checkpoints import TINY, build_checkpoint

OWN = {
    "max_length": 12,
    "num_beams": 5,
    "repetition_penalty": 5.0,
    "no_repeat_ngram_size": 2,
    "length_penalty": -1.0,
    "early_stopping": True,
}
LIBRARY = {
    "max_length": 20,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "length_penalty": 1.0,
    "early_stopping": False,
}
CASES = cases_for(generate_pictures(8))


def checkpoint_with(directory: Path, **settings: object) -> Path:
    """Save a tiny checkpoint whose text decoder has `settings` in config.json."""
    # Captions that seldom end before their greatest length show every setting.
    checkpoint = build_checkpoint(directory, TINY, end_token_bias=1.5)
    update(checkpoint / "config.json", "text_config", settings)
    return checkpoint


def update(file: Path, part: str | None, settings: dict[str, Any]) -> None:
    """Set `settings` in a JSON file, or in its object `part`."""
    document = json.loads(file.read_text())
    (document[part] if part else document).update(settings)
    file.write_text(json.dumps(document))


def reference_captions(checkpoint: Path, **given: object) -> list[TokenIds]:
    """Return what `generate` of transformers makes of CASES, with the options `given`."""
    model: Any = BlipForConditionalGeneration.from_pretrained(checkpoint).eval()
    processor: Any = BlipProcessor.from_pretrained(checkpoint)
    captions = []
    for case in CASES:
        inputs = processor(case.picture.decode(), case.prompt, return_tensors="pt")
        with torch.inference_mode():
            captions.append(tuple(model.generate(**inputs, **given)[0].tolist()))
    return captions


def runtime_captions(directory: Path) -> list[TokenIds]:
    """Return what the server's runtime makes of CASES with the model's own settings."""
    captioner = BlipCaptioner.open(directory, threads=1)
    captions = [
        captioner.caption(case.picture.data, case.prompt, options_for(case)).token_ids
        for case in CASES
    ]
    captioner.close()
    return captions


def test_captions_with_the_checkpoints_own_settings_equal_transformers(tmp_path: Path) -> None:
    """32 captions without any option are generate's, and not those of the library's defaults."""
    checkpoint = checkpoint_with(tmp_path / "checkpoint", **OWN)
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 0
    assert asdict(read_manifest(tmp_path / "model").generation) == OWN
    expected = reference_captions(checkpoint)
    assert runtime_captions(tmp_path / "model") == expected
    plain = reference_captions(checkpoint, **LIBRARY)
    assert all(own != library for own, library in zip(expected, plain, strict=True))


@pytest.mark.parametrize("file", ["generation_config.json", "config.json"])
def test_settings_that_generate_does_not_read_are_not_exported(file: str, tmp_path: Path) -> None:
    """BLIP's generate reads neither generation_config.json nor the top level of config.json."""
    checkpoint = checkpoint_with(tmp_path / "checkpoint")
    plain = reference_captions(checkpoint)
    update(checkpoint / file, None, OWN)
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 0
    assert asdict(read_manifest(tmp_path / "model").generation) == LIBRARY
    assert runtime_captions(tmp_path / "model") == reference_captions(checkpoint) == plain


def test_a_server_that_ignores_the_checkpoints_settings_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One case of the comparison gives no num_beams, so that the checkpoint's own counts."""
    checkpoint = checkpoint_with(tmp_path / "checkpoint", num_beams=5)
    resolve = BlipCaptioner.resolve

    def ignoring(
        self: BlipCaptioner, prompt: str | None, options: GenerationOptions
    ) -> GenerationRequest:
        own = options.num_beams in (None, 5)
        return resolve(self, prompt, replace(options, num_beams=1) if own else options)

    monkeypatch.setattr(BlipCaptioner, "resolve", ignoring)
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "captions differ from transformers'" in message
    assert "num_beams not given" in message


@pytest.mark.parametrize(("own", "searches"), [(1, [None, 3]), (3, [None, 1]), (5, [None, 1, 3])])
def test_the_manifest_names_the_searches(
    own: int, searches: list[int | None], tmp_path: Path
) -> None:
    """No num_beams at all is compared first, and no search is compared twice."""
    checkpoint = checkpoint_with(tmp_path / "checkpoint", num_beams=own)
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 0
    figures = read_manifest(tmp_path / "model").verification
    assert figures["num_beams"] == searches
    assert figures["captions"] == len(PROMPTS) * len(searches)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("min_length", 5, "min_length=5, which is not supported"),
        ("encoder_no_repeat_ngram_size", 2, "encoder_no_repeat_ngram_size=2, which is not"),
        ("penalty_alpha", 0.5, "penalty_alpha=0.5, which is not supported"),
        ("num_beams", 32, "num_beams=32, and the server supports values between 1 and 16"),
        ("length_penalty", 3.0, "length_penalty=3.0, and the server supports values between -2.0"),
        ("max_length", 4, "max_length=4, and the server supports values between 5 and 32"),
        ("max_length", 33, "max_length=33, and the server supports values between 5 and 32"),
    ],
)
def test_settings_that_the_server_cannot_serve_are_refused(
    setting: str,
    value: object,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message names the setting, its value and where to change it."""
    checkpoint = checkpoint_with(tmp_path / "checkpoint", **{setting: value})
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert f"checkpoint generates with {said}" in message
    assert "text_config" in message
    assert not (tmp_path / "model").exists()


def test_sampling_settings_have_no_effect_without_sampling(tmp_path: Path) -> None:
    """Older checkpoints spell out top_k and temperature; they are exported all the same."""
    checkpoint = checkpoint_with(tmp_path / "checkpoint", top_k=10, temperature=0.5)
    assert main([str(checkpoint), str(tmp_path / "model"), "--pictures", "1"]) == 0
