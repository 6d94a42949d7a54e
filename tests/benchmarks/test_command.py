from pathlib import Path

import pytest

from benchmarks import subjects
from benchmarks.__main__ import BENCHMARKS, COMMANDS, main


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What went to stderr last, and that it is no traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "NAME"),
        (["speed"], "'speed'"),
        (["latency", "--rounds", "0"], "'0' is no whole number above 0"),
        (["load", "--hit-ratio", "1.5"], "'1.5' is no number"),
        (["load", "--limit", "nan"], "'nan' is no number"),
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


@pytest.mark.parametrize("name", ["latency", "load", "pipelines", "tutorial"])
def test_a_missing_model_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model directory that is not there ends with status 1 and its path."""
    assert main([name, "--model", str(tmp_path / "absent")]) == 1
    assert str(tmp_path / "absent") in one_line(capsys)


def test_the_base_model_has_to_be_made_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the base model there is a line with the command that makes it."""
    monkeypatch.setattr(subjects, "BASE_DIRECTORY", tmp_path)
    assert main(["pipelines"]) == 1
    assert "python -m benchmarks checkpoint" in one_line(capsys)


@pytest.mark.parametrize("name", ["latency", "load"])
def test_a_server_that_does_not_answer_is_one_line(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address without a server ends with status 1 and what to do."""
    extra = ["--sizes", "50 KB"] if name == "latency" else ["--seconds", "0.01", "--connections"]
    assert main([name, "--url", "http://127.0.0.1:9", *extra]) == 1
    assert "no answer from server at http://127.0.0.1:9" in one_line(capsys)


def test_every_benchmark_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists each benchmark with its first line."""
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in {**BENCHMARKS, **COMMANDS})
