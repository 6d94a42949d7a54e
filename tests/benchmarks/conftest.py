from pathlib import Path

import pytest

from benchmarks.subjects import Subject


@pytest.fixture(scope="session")
def tiny_subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A random model of a few thousand weights, as a checkpoint and as a model directory."""
    import torch

    from export.__main__ import main
    from tests.export.checkpoints import TINY, build_checkpoint

    home: Path = tmp_path_factory.mktemp("subject")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    checkpoint = build_checkpoint(home / "checkpoint", TINY)
    assert main([str(checkpoint), str(home / "fp32"), "--pictures", "1"]) == 0
    torch.set_num_threads(threads)
    return Subject("tiny", home, checkpoint, {"fp32": home / "fp32"})
