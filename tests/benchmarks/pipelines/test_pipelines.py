"""The real pipelines, on a model small enough to wait for."""

from argparse import Namespace
from dataclasses import replace
from typing import Any

from benchmarks.pipelines import command
from benchmarks.rows import Absent, Captioned, Loaded, MachineRate, Work
from benchmarks.runs import Run
from benchmarks.subjects import Subject
from tests.benchmarks import recorded


def measure(subject: Subject, *pipelines: str) -> Run[Any]:
    options = Namespace(threads=1, tokens=[3, 5], pipelines=list(pipelines))
    run = recorded.run("pipelines", [])
    command.measure_pipelines(options, subject, 1, run)
    return run


def test_pipelines_do_the_same_work(tiny_subject: Subject) -> None:
    """Ours and the tutorial's generate the same tokens, in a process of their own each."""
    rows = measure(tiny_subject, "ours-fp32", "tutorial-torch").rows
    captions = [row for row in rows if isinstance(row, Captioned)]
    tokens = {(row.pipeline, row.tokens): row.token_ids for row in captions}
    assert len(tokens) == 4
    for most in (3, 5):
        assert tokens["ours-fp32", most] == tokens["tutorial-torch", most]
        assert 1 <= len(tokens["ours-fp32", most]) <= most
    assert all(min(row.preprocess, row.encode, row.decode) > 0 for row in captions)
    assert all(row.peak_bytes > 10_000_000 for row in captions)
    loaded = [row.pipeline for row in rows if isinstance(row, Loaded)]
    assert loaded == ["ours-fp32", "tutorial-torch"]


def test_the_roofline_is_measured_in_the_same_rounds(tiny_subject: Subject) -> None:
    """A run of pipelines has the work of its model and this machine's rates."""
    rows = measure(tiny_subject, "ours-fp32").rows
    assert sum(isinstance(row, Work) for row in rows) == 1
    rates = {row.kernel: row.rate for row in rows if isinstance(row, MachineRate)}
    assert {"fp32 gemm", "int8 gemm", "memory read"} <= rates.keys()
    assert min(rates.values()) > 1e6


def test_missing_pipelines_are_named(tiny_subject: Subject) -> None:
    """A pipeline without its checkpoint is absent with a reason, and others are measured."""
    subject = replace(tiny_subject, checkpoint=None)
    rows = measure(subject, "ours-int8", "tutorial-torch", "ours-fp32").rows
    absent = {row.pipeline: row.reason for row in rows if isinstance(row, Absent)}
    assert absent.keys() == {"ours-int8", "tutorial-torch"}
    assert "export in int8 needs the transformers checkpoint of tiny" in absent["ours-int8"]
    assert "needs the transformers checkpoint of tiny" in absent["tutorial-torch"]
    assert {row.pipeline for row in rows if isinstance(row, Captioned)} == {"ours-fp32"}
