from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.errors import Unavailable
from benchmarks.runs import Report, Run, measured, read_json, write_json
from tests.benchmarks.recorded import report


class Fake(ModuleType):
    """A benchmark that measures two rows, and is interrupted in between if it is told so."""

    def __init__(self, interrupted: bool) -> None:
        super().__init__("fake")
        self.interrupted = interrupted

    def measure(self, options: Namespace, run: Run[int]) -> None:
        run.say("measuring")
        run.rows.append(1)
        if self.interrupted:
            raise KeyboardInterrupt
        run.rows.append(2)


def test_all_rows_are_kept_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """A run holds the rows in the order of measurement, and its progress is on stderr."""
    run = measured("fake", Fake(interrupted=False), Namespace(threads=3))
    assert (run.rows, run.interrupted, run.environment.threads) == ([1, 2], False, 3)
    assert capsys.readouterr().err.endswith("fake: measuring\n")


def test_an_interruption_keeps_the_rows_before_it() -> None:
    """Ctrl-C ends a run without losing what was measured."""
    run = measured("fake", Fake(interrupted=True), Namespace(threads=1))
    assert (run.rows, run.interrupted) == ([1], True)


def test_a_report_survives_json(tmp_path: Path) -> None:
    """A report that is read equals the one that was written, types included."""
    write_json(report(), tmp_path / "results.json")
    assert read_json(Report, tmp_path / "results.json") == report()


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    """A file that is no report is refused in one line with the field at fault."""
    path = tmp_path / "results.json"
    path.write_text('{"size": 3}')
    with pytest.raises(Unavailable, match="not a report of this version: size: "):
        read_json(Report, path)
    with pytest.raises(Unavailable, match="can't be read: No such file"):
        read_json(Report, tmp_path / "absent.json")
