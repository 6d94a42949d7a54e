"""One small BLIP with random weights: as a checkpoint, in transformers, and exported."""

from pathlib import Path
from typing import Any

import pytest
from transformers import BlipForConditionalGeneration, BlipProcessor

from export.__main__ import main as export
from models.emoji_blip.tokenizer import build_processor
from server.captioning.captioner import BlipCaptioner
from tests.export.checkpoints import TINY, VOCABULARY, build_model

#: Makes random weights end about every other caption before its greatest length.
END_TOKEN_BIAS = 2.5


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoint")
    model = build_model(TINY)
    model.text_decoder.cls.predictions.bias.data[102] += END_TOKEN_BIAS
    model.save_pretrained(directory)
    build_processor(VOCABULARY, TINY.image_size).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> Any:
    return BlipForConditionalGeneration.from_pretrained(checkpoint).eval()


@pytest.fixture(scope="session")
def processor(checkpoint: Path) -> Any:
    return BlipProcessor.from_pretrained(checkpoint, use_fast=False)


@pytest.fixture(scope="session")
def model_directory(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "tiny"
    assert export([str(checkpoint), str(directory), "--pictures", "1"]) == 0
    return directory


@pytest.fixture(scope="session")
def captioner(model_directory: Path) -> BlipCaptioner:
    return BlipCaptioner.open(model_directory, threads=1)
