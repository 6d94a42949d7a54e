"""The whole way from bytes to caption, against transformers on the same checkpoint."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.pictures import SIZES, draw
from server.captioning.captioner import BlipCaptioner
from server.captioning.image import decode as images
from server.captioning.model.directory import read_manifest, write_manifest
from server.captioning.options import GenerationOptions
from tests.server.captioning.pictures import encoded, noise

pytestmark = pytest.mark.parity

PROMPTS = (None, "", "a picture of", "it's a dog's [SEP] café, isn't it")


def generated(model: Any, processor: Any, picture: Image.Image, **options: Any) -> Any:
    prompt = options.pop("prompt")
    inputs = processor(images=picture, text=prompt, return_tensors="pt")
    with torch.inference_mode():
        return model.generate(**inputs, return_dict_in_generate=True, output_logits=True, **options)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("num_beams", [1, 3])
def test_captions_equal_transformers(
    captioner: BlipCaptioner, model: Any, processor: Any, prompt: str | None, num_beams: int
) -> None:
    """Token ids and text are those of BlipForConditionalGeneration and BlipProcessor."""
    for seed in range(6):
        picture = noise(seed)
        caption = captioner.caption(
            encoded(picture), prompt, GenerationOptions(num_beams=num_beams)
        )
        expected = generated(model, processor, picture, prompt=prompt, num_beams=num_beams)
        sequence = expected.sequences[0]
        assert caption.token_ids == tuple(sequence.tolist())
        assert caption.text == processor.decode(sequence, skip_special_tokens=True)


@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 1},
        {"max_new_tokens": 9, "repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 1, "num_beams": 2},
        {"num_beams": 4, "length_penalty": -1.0, "repetition_penalty": 0.7},
    ],
    ids=str,
)
def test_options_mean_what_they_mean_to_transformers(
    captioner: BlipCaptioner, model: Any, processor: Any, options: dict[str, Any]
) -> None:
    """Every generation option changes the caption as it does in generate()."""
    picture = noise(7)
    caption = captioner.caption(encoded(picture), "a", GenerationOptions(**options))
    expected = generated(model, processor, picture, prompt="a", **options)
    assert caption.token_ids == tuple(expected.sequences[0].tolist())


def test_confidence_is_the_geometric_mean(
    captioner: BlipCaptioner, model: Any, processor: Any
) -> None:
    """Confidence is the geometric mean of the tokens' probabilities before logits processors."""
    picture = noise(1)
    caption = captioner.caption(encoded(picture), None, GenerationOptions(repetition_penalty=2.0))
    expected = generated(model, processor, picture, prompt=None, repetition_penalty=2.0)
    tokens = expected.sequences[0, 1:].tolist()
    log_probs = [
        logits[0].log_softmax(-1)[token].item()
        for logits, token in zip(expected.logits, tokens, strict=True)
    ]
    assert caption.confidence == pytest.approx(np.exp(np.mean(log_probs)), rel=1e-4)
    assert 0 < caption.confidence <= 1


def test_pixel_values_of_large_jpegs_are_exact_or_near(
    model_directory: Path, processor: Any
) -> None:
    """They equal transformers' unless exact_decode is off, and are near them then."""
    data = draw(SIZES["200 KB"], 0).jpeg
    expected = processor(images=images.decode(data), return_tensors="np").pixel_values
    exact = BlipCaptioner.open(model_directory, threads=1)
    near = BlipCaptioner.open(model_directory, threads=1, exact_decode=False)
    np.testing.assert_array_equal(exact.preprocess(data), expected)
    assert 0 < np.abs(near.preprocess(data) - expected).max() < 0.25


@pytest.mark.parametrize("early_stopping", [True, "never"])
def test_early_stopping_is_the_checkpoint_s(
    model_directory: Path, tmp_path: Path, model: Any, processor: Any, early_stopping: Any
) -> None:
    """Beams stop as the manifest says, which is as the checkpoint's configuration does."""
    directory = Path(shutil.copytree(model_directory, tmp_path / "model"))
    manifest = read_manifest(directory)
    generation = replace(manifest.generation, early_stopping=early_stopping)
    write_manifest(directory, replace(manifest, generation=generation))
    captioner = BlipCaptioner.open(directory, threads=1)
    options: dict[str, Any] = {"num_beams": 3, "length_penalty": 2.0}
    for seed in range(6):
        caption = captioner.caption(encoded(noise(seed)), None, GenerationOptions(**options))
        expected = generated(
            model, processor, noise(seed), prompt=None, early_stopping=early_stopping, **options
        )
        assert caption.token_ids == tuple(expected.sequences[0].tolist())
