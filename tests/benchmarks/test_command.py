from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.report import command as report
from benchmarks.report.command import BENCHMARKS


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


@pytest.mark.parametrize("name", [*BENCHMARKS, "report"])
def test_a_missing_model_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing model directory ends with status 1 and its path."""
    assert main([name, "--model", str(tmp_path / "absent")]) == 1
    assert str(tmp_path / "absent") in one_line(capsys)


@pytest.mark.parametrize("name", ["latency", "pipelines"])
def test_a_directory_without_the_project_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--against refuses a directory that is no checkout, and says how to make one."""
    assert main([name, "--against", str(tmp_path)]) == 1
    line = one_line(capsys)
    assert f"{tmp_path} is not a checkout" in line
    assert "git worktree add" in line


def test_every_benchmark_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists each command with the first line of its description."""
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, module in {**BENCHMARKS, "report": report}.items():
        assert f"{name} {(module.__doc__ or '').splitlines()[0][:40]}" in text
