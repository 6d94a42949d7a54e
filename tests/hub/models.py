"""Copies of the committed model directory for a hub to hold."""

import shutil
from pathlib import Path

from server.captioning.model.directory import FILES, MANIFEST
from tests.committed_model import MODEL

MODEL_FILES = (MANIFEST, *FILES)


def copy_model(directory: Path) -> Path:
    """Copy the files of the model directory, and nothing beside them. Return `directory`."""
    directory.mkdir(parents=True)
    for name in MODEL_FILES:
        shutil.copy(MODEL / name, directory)
    return directory


def flip_byte(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
