"""One small BLIP with random weights, as a checkpoint, in transformers, and exported.

torch and what needs it are imported where they are used: most tests here do without.
"""

from pathlib import Path
from typing import Any

import pytest

from server.captioning.captioner import BlipCaptioner

#: Makes random weights end about every other caption before its greatest length.
END_TOKEN_BIAS = 2.5


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models.emoji_blip.tokenizer import build_processor
    from tests.export.checkpoints import TINY, VOCABULARY, build_model

    directory = tmp_path_factory.mktemp("checkpoint")
    model = build_model(TINY)
    model.text_decoder.cls.predictions.bias.data[102] += END_TOKEN_BIAS
    model.save_pretrained(directory)
    build_processor(VOCABULARY, TINY.image_size).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> Any:
    from transformers import BlipForConditionalGeneration

    return BlipForConditionalGeneration.from_pretrained(checkpoint).eval()


@pytest.fixture(scope="session")
def processor(checkpoint: Path) -> Any:
    from transformers import BlipProcessor

    return BlipProcessor.from_pretrained(checkpoint, use_fast=False)


@pytest.fixture(scope="session")
def model_directory(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from export.__main__ import main as export

    directory = tmp_path_factory.mktemp("models") / "tiny"
    assert export([str(checkpoint), str(directory), "--pictures", "1"]) == 0
    return directory


@pytest.fixture(scope="session")
def captioner(model_directory: Path) -> BlipCaptioner:
    return BlipCaptioner.open(model_directory, threads=1)
