"""The committed model: what the runtime's tests caption with, without torch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.captioning.captioner import BlipCaptioner
from tests.committed_model import MODEL


@pytest.fixture(scope="session")
def model_directory() -> Path:
    return MODEL


@pytest.fixture(scope="session")
def captioner(model_directory: Path) -> Iterator[BlipCaptioner]:
    captioner = BlipCaptioner.open(model_directory, threads=1)
    yield captioner
    captioner.close()
