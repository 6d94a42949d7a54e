"""A folder for each test, with an export environment that is a stub."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.export.prepare.commands import HUB_ID, Workplace
from tests.hub.fake_hub import serve_hub


@pytest.fixture(scope="session")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make what the hub serves to the stub: files of a checkpoint, of 1,000,020 bytes in all."""
    directory = tmp_path_factory.mktemp("checkpoint")
    (directory / "config.json").write_bytes(b" " * 20)
    (directory / "model.safetensors").write_bytes(bytes(1_000_000))
    return directory


@pytest.fixture
def workplace(small_files: Path, tmp_path: Path) -> Iterator[Workplace]:
    """Yield a folder with the stub, and a hub that has HUB_ID."""
    with serve_hub(HUB_ID, small_files) as hub:
        workplace = Workplace(tmp_path, hub)
        workplace.install_stub()
        yield workplace


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Make the pipe at which a stub waits."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


@pytest.fixture
def waiting(workplace: Workplace, gate: Path) -> Workplace:
    """Return the workplace with a stub that waits at the gate."""
    return replace(workplace, more={"STUB_GATE": str(gate)})
