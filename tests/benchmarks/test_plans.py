from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from benchmarks.errors import RecordError
from benchmarks.plans import Plan, synchronously
from benchmarks.progress import Bar
from benchmarks.report.contents import Report
from benchmarks.runs import read_json, write_json
from tests.benchmarks.recorded import report


def plan_of(rows: Generator[int, None, None]) -> Plan[int]:
    return Plan("fake", "no model", 1, {}, None, lambda bar: rows, lambda run: [])


def test_all_rows_are_kept_in_order() -> None:
    """A run holds what was measured, in the order in which it was."""

    def measure() -> Generator[int, None, None]:
        yield from (1, 2, 3)

    run = plan_of(measure()).run()
    assert run.rows == (1, 2, 3)
    assert not run.interrupted


def test_an_interruption_keeps_what_was_measured() -> None:
    """Ctrl-C ends a run, closes what it had open, and loses nothing."""
    closed = []

    async def measure() -> AsyncGenerator[int, None]:
        try:
            yield 1
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    run = plan_of(synchronously(measure())).run()
    assert run.rows == (1,)
    assert run.interrupted
    assert closed


def test_a_run_left_early_closes_its_generator() -> None:
    """What an asynchronous benchmark opened is closed when nobody asks for more rows."""
    closed = []

    async def measure() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    rows = synchronously(measure())
    assert next(rows) == 1
    rows.close()
    assert closed


def test_a_report_survives_json(tmp_path: Path) -> None:
    """What is read is what was written, types and all, to the microsecond."""
    write_json(report(), tmp_path / "results.json")
    assert read_json(Report, tmp_path / "results.json") == report()


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    """A file that is no report says in one line what is wrong with it."""
    path = tmp_path / "results.json"
    path.write_text('{"size": 3}')
    with pytest.raises(RecordError, match="no recorded run: size: "):
        read_json(Report, path)
    with pytest.raises(RecordError, match="can't be read: No such file"):
        read_json(Report, tmp_path / "absent.json")


def test_bar_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal there are lines and no bar."""

    def measure(bar: Bar) -> Generator[int, None, None]:
        bar.say("doing something")
        yield 1

    Plan("fake", "no model", 1, {}, 1, measure, lambda run: []).run()
    assert capsys.readouterr().err == "fake: doing something\n"
