"""What an export reports on stderr while it runs."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from export.__main__ import main
from export.terminal.progress import show_steps


def report(terminal: bool) -> str:
    """Return what two steps write to a console of 100 columns."""
    written = StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, color_system=None)
    with show_steps(console) as steps:
        steps.announce("compare 3 captions of [anything]")
        with steps.step("load"):
            pass
        assert steps.each("caption", iter("abc"), 3, "captions") == ["a", "b", "c"]
    return written.getvalue()


def test_a_step_is_told_before_and_after() -> None:
    """In a log there is a line before each step, with its size, and one after it, with its time."""
    announced, *lines = report(terminal=False).splitlines()
    assert announced == "compare 3 captions of [anything]"
    expected = [
        r"load \.\.\.",
        r"load: done in \d+\.\d s",
        r"caption: 3 captions \.\.\.",
        r"caption: done in \d+\.\d s, \d+\.\d\d captions/s",
    ]
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


def test_a_terminal_shows_bars() -> None:
    """Number, rate and time left stand beside the bar, and no line ends a step."""
    written = report(terminal=True)
    assert "compare 3 captions of [anything]" in written
    assert "3/3" in written
    assert "/s" in written
    assert "done in" not in written


def test_the_line_of_a_failed_step_is_its_last() -> None:
    """A step that raises is not told to be done."""
    written = StringIO()
    with pytest.raises(ZeroDivisionError), show_steps(Console(file=written)) as steps:
        steps.each("divide", (1 // zero for zero in (0,)), 1, "divisions")
    assert written.getvalue() == "divide ...\n"


def test_an_export_says_how_many_captions_it_compares(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number, and what it is made of, come before the first caption."""
    assert main([str(tiny_checkpoint), str(tmp_path / "model"), "--pictures", "2"]) == 0
    lines = capsys.readouterr().err.splitlines()
    compared = lines.index(
        "compare 16 captions of ONNX Runtime with transformers': 2 pictures x 4 prompts x "
        "2 searches (num_beams not given, 3); --pictures changes the number"
    )
    assert lines[compared + 1] == "caption with transformers: 16 captions ..."
    assert lines[compared + 2].startswith("caption with transformers: done in ")
    assert lines[compared + 3] == "caption with ONNX Runtime: 16 captions ..."
