"""Fixtures that the tests of the suite share."""

from pathlib import Path

import pytest

from benchmarks.subjects import Subject


@pytest.fixture(scope="session")
def tiny_subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A random model of a few thousand weights, as a checkpoint and as an fp32 directory."""
    import torch

    from export.__main__ import main
    from tests.export.checkpoints import TINY, build_checkpoint

    home: Path = tmp_path_factory.mktemp("subject")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    checkpoint = build_checkpoint(home / "fp32" / "checkpoint.partial", TINY)
    assert main([str(checkpoint), str(home / "exported"), "--pictures", "1"]) == 0
    torch.set_num_threads(threads)
    directory = (home / "exported").rename(home / "tiny")
    return Subject("tiny", home, checkpoint.rename(directory / "checkpoint"), {"fp32": directory})
