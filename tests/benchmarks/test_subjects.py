from dataclasses import replace

import pytest

from benchmarks import subjects
from benchmarks.errors import Unavailable
from benchmarks.subjects import Subject, find_subject


def test_a_model_directory_is_found_with_its_checkpoint(tiny_subject: Subject) -> None:
    """A directory with a manifest is a subject, whose checkpoint lies inside it."""
    directory = tiny_subject.given["fp32"]
    found = find_subject(str(directory))
    assert found.given == {"fp32": directory}
    assert found.checkpoint == directory / "checkpoint"
    assert found.directory("fp32") == directory
    assert found.home.parent == subjects.WORK


def test_another_precision_needs_the_checkpoint(tiny_subject: Subject) -> None:
    """Without the checkpoint, the missing precision is an error with the remedy."""
    subject = replace(tiny_subject, checkpoint=None)
    with pytest.raises(Unavailable, match="export in int8 needs the transformers checkpoint"):
        subject.directory("int8")
