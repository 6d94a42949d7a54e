"""An export that is stopped, and the next one to the same OUTPUT."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from export.__main__ import main
from export.stages.directory import work_path
from server.captioning.model.directory import read_manifest
from tests.export.command import ROOT, command, environment

pytestmark = pytest.mark.process

FLAGS = ("--pictures", "2")


def kill(checkpoint: Path, output: Path, home: Path, at: str) -> None:
    """Kill an export that has announced the step `at`."""
    process = subprocess.Popen(
        command(checkpoint, output, *FLAGS),
        cwd=ROOT,
        env=environment(home),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    assert any(line.startswith(at) for line in lines)
    process.kill()
    process.stderr.close()
    assert process.wait(timeout=60) == -signal.SIGKILL


def steps_of(written: str) -> list[str]:
    """Return the steps and stages that an export reports."""
    return [line.split(":")[0].removesuffix(" ...") for line in written.splitlines()]


def test_a_killed_export_continues(
    tiny_checkpoint: Path,
    tiny_export: Path,
    output: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Finished stages do not run again, and the result is that of an export in one run."""
    kill(tiny_checkpoint, output, tmp_path, "validate decoder_model.onnx")
    (partial,) = work_path(output).iterdir()
    assert (partial.name, (partial / "decoder_model.onnx").exists()) == ("fp32.partial", True)
    # Nothing was finished, so the second run begins anew.
    kill(tiny_checkpoint, output, tmp_path, "caption with transformers")
    assert sorted(os.listdir(work_path(output))) == ["fp32", "reference.partial"]

    capsys.readouterr()
    assert main([str(tiny_checkpoint), str(output), *FLAGS]) == 0
    steps = steps_of(capsys.readouterr().err)
    assert "stage fp32" in steps
    assert not any(step.startswith(("export", "validate")) for step in steps)
    assert "caption with transformers" in steps
    assert os.listdir(output.parent) == [output.name]
    assert read_manifest(output).files == read_manifest(tiny_export).files
    assert read_manifest(output).verification == read_manifest(tiny_export).verification


@pytest.mark.parametrize(
    ("number", "during", "kept"),
    [
        (signal.SIGINT, "export.convert.validate_graph", None),
        (signal.SIGTERM, "export.pipeline.transformers_captions", "fp32"),
    ],
)
def test_an_interrupted_export_says_what_it_keeps(
    number: signal.Signals,
    during: str,
    kept: str | None,
    tiny_checkpoint: Path,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only finished stages stay beside OUTPUT, and the last line says how to continue."""

    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(during, interrupt)
    assert main([str(tiny_checkpoint), str(output), *FLAGS]) == 128 + number
    *_, last = capsys.readouterr().err.splitlines()
    interrupted = f"export: interrupted; {output} was not written."
    if kept is None:
        assert last == interrupted
        assert os.listdir(output.parent) == []
    else:
        assert last.startswith(f"{interrupted} Run the command again to continue after {kept},")
        assert os.listdir(work_path(output)) == [kept]
