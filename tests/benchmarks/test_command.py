from pathlib import Path

import pytest

from benchmarks import subjects
from benchmarks.__main__ import COMMANDS, main
from benchmarks.report.contents import BENCHMARKS


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the last line of stderr, after checking that it is no traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "NAME"),
        (["speed"], "'speed'"),
        (["latency", "--rounds", "0"], "'0' is not a whole number above 0"),
        (["load", "--hit-ratio", "1.5"], "'1.5' is not a number between 0 and 1"),
        (["load", "--limit", "nan"], "'nan' is not a number"),
        (["pipelines", "--pipelines", "keras"], "'keras'"),
        (["report", "--slow"], "--slow"),
    ],
)
def test_bad_flags_are_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad flag ends with status 2 and a line that names it."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert named in one_line(capsys)


@pytest.mark.parametrize("name", ["latency", "load", "pipelines", "roofline", "tutorial"])
def test_a_missing_model_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing model directory ends with status 1 and its path."""
    assert main([name, "--model", str(tmp_path / "absent")]) == 1
    assert str(tmp_path / "absent") in one_line(capsys)


def test_the_base_model_has_to_be_made_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the base model the last line gives the command that makes it."""
    monkeypatch.setattr(subjects, "WORK", tmp_path)
    assert main(["pipelines"]) == 1
    assert "python -m benchmarks checkpoint" in one_line(capsys)


@pytest.mark.parametrize("name", ["latency", "pipelines"])
def test_a_directory_without_the_project_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--against refuses a directory that is no checkout, and says how to make one."""
    assert main([name, "--against", str(tmp_path)]) == 1
    line = one_line(capsys)
    assert f"{tmp_path} is not a checkout" in line
    assert "git worktree add" in line


@pytest.mark.parametrize("name", ["latency", "load"])
def test_a_server_that_does_not_answer_is_one_line(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address without a server ends with status 1 and what to do."""
    assert main([name, "--url", "http://127.0.0.1:9"]) == 1
    line = one_line(capsys)
    assert "no answer from server at http://127.0.0.1:9" in line
    assert "scripts/serve" in line


def test_every_benchmark_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists each command with the first line of its description."""
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, module in {**BENCHMARKS, **COMMANDS}.items():
        assert f"{name} {(module.__doc__ or '').splitlines()[0][:40]}" in text
