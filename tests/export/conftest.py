"""Checkpoints and exports that several tests look at; nothing writes to them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from export.__main__ import main
from tests.export.checkpoints import TINY, build_checkpoint


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Layers this small are slower on several threads, by far where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny", TINY)


@pytest.fixture(scope="session")
def tiny_export(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("models") / "tiny"
    assert main([str(tiny_checkpoint), str(output), "--pictures", "2"]) == 0
    return output


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return the path of a model directory to write. Its parent is empty."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "blip"
