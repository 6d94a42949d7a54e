"""Which stages of an export outlast it, and which are used again."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export.errors import OutputError, QuantisationError, SourceError
from export.stages import lock
from export.stages.directory import WorkDirectory, work_directory, work_path

KEY = {"checkpoint": "a", "torch": "2"}


class Stages:
    """Runs of one export, each of which writes a stage if it has to."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.written = 0
        self.lines: list[str] = []

    def run(
        self,
        key: dict[str, str] = KEY,
        then: Callable[[WorkDirectory], object] = lambda work: None,
        restart: bool = False,
    ) -> None:
        with work_directory(self.output, self.lines.append, restart) as work:
            stage = work.stage("fp32", key, self._write)
            assert (stage / "graph").read_text() == "content"
            then(work)

    def interrupted(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.run(then=fail_with(KeyboardInterrupt()))

    def _write(self, directory: Path) -> None:
        self.written += 1
        (directory / "graph").write_text("content")


def fail_with(error: BaseException) -> Callable[[WorkDirectory], object]:
    def fail(work: WorkDirectory) -> None:
        work.scratch("candidate")
        raise error

    return fail


@pytest.fixture
def stages(output: Path) -> Stages:
    return Stages(output)


def test_a_finished_stage_is_used_again(stages: Stages) -> None:
    """A run after an interruption does not write it, and says so in one line."""
    stages.interrupted()
    assert os.listdir(work_path(stages.output)) == ["fp32"]
    stages.run()
    assert stages.written == 1
    assert stages.lines == ["stage fp32: kept from an earlier run"]


def test_a_successful_export_leaves_no_stages(stages: Stages) -> None:
    """The work directory is removed."""
    stages.run()
    assert os.listdir(stages.output.parent) == []


def test_an_interruption_says_what_is_kept(stages: Stages) -> None:
    """The note names stages, directory and both ways on."""
    with pytest.raises(KeyboardInterrupt) as raised:
        stages.run(then=fail_with(KeyboardInterrupt()))
    (note,) = raised.value.__notes__
    assert note == (
        f"Run the command again to continue after fp32, kept in {work_path(stages.output)}; add "
        "--restart, or remove that directory, to begin anew."
    )


def test_an_interruption_in_the_first_stage_leaves_nothing(output: Path) -> None:
    """An unfinished stage is removed, and with it the empty work directory."""

    def write(directory: Path) -> None:
        (directory / "graph").write_text("half")
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt) as raised,
        work_directory(output, print) as work,
    ):
        work.stage("fp32", KEY, write)
    assert os.listdir(output.parent) == []
    assert not hasattr(raised.value, "__notes__")


def test_what_a_killed_run_left_unfinished_is_removed(stages: Stages) -> None:
    """The next run keeps the finished stages and nothing else."""
    stages.interrupted()
    for name in ("candidate", "reference.partial"):
        (work_path(stages.output) / name).mkdir()
    found: list[str] = []
    stages.run(then=lambda work: found.extend(os.listdir(work.path)))
    assert found == ["fp32"]


def test_a_stage_of_another_key_is_discarded(stages: Stages) -> None:
    """One line says what has changed."""
    stages.interrupted()
    stages.run(KEY | {"torch": "3"})
    assert stages.written == 2
    (line,) = stages.lines
    assert line == "stage fp32: discarded from an earlier run, because another torch made it"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda stage: (stage / "graph").write_text(""), "its files are damaged"),
        (lambda stage: (stage / "graph").unlink(), "its files are damaged"),
        (lambda stage: (stage / "key.json").write_text("{"), "its key.json can't be read"),
        (lambda stage: (stage / "key.json").write_text("[]"), "its key.json can't be read"),
    ],
)
def test_a_damaged_stage_is_discarded(
    damage: Callable[[Path], object], reason: str, stages: Stages
) -> None:
    """A power cut can leave empty files under their own names."""
    stages.interrupted()
    damage(work_path(stages.output) / "fp32")
    stages.run()
    assert stages.written == 2
    assert reason in stages.lines[0]


def test_restart_discards_finished_stages(stages: Stages) -> None:
    """Nothing of an earlier run is used."""
    stages.interrupted()
    stages.run(restart=True)
    assert stages.written == 2


def test_an_error_that_would_come_again_leaves_nothing(stages: Stages) -> None:
    """Stages of a checkpoint that can't be exported are of no use."""
    with pytest.raises(SourceError):
        stages.run(then=fail_with(SourceError("broken")))
    assert os.listdir(stages.output.parent) == []


def test_an_error_in_a_flag_keeps_the_stages(stages: Stages) -> None:
    """A misspelt layer costs no new export."""
    with pytest.raises(QuantisationError):
        stages.run(then=fail_with(QuantisationError("no such layer")))
    stages.run()
    assert stages.written == 1


def test_a_full_disk_is_one_error_that_keeps_the_stages(stages: Stages) -> None:
    """OUTPUT, the reason, the remedy, and where the stages are."""
    with pytest.raises(OutputError, match=r"can't be written: No space left .* free") as raised:
        stages.run(then=fail_with(OSError(28, "No space left on device")))
    assert "continue after fp32" in raised.value.__notes__[0]


def test_two_exports_do_not_write_to_one_output(stages: Stages) -> None:
    """The second is refused in one line, and the first is not disturbed."""
    other = Stages(stages.output)

    def export_too(work: WorkDirectory) -> None:
        with pytest.raises(OutputError, match=r"another export is writing .*blip; wait"):
            other.run()

    stages.run(then=export_too)
    assert (stages.written, other.written) == (1, 0)


def test_the_lock_of_a_removed_directory_is_none(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the first export ends while a second takes its lock, the second locks a new directory."""
    taken = []

    def remove_once(descriptor: int, operation: int) -> None:
        taken.append(descriptor)
        if len(taken) == 1:
            shutil.rmtree(work_path(stages.output))

    monkeypatch.setattr(lock, "flock", remove_once)
    stages.run()
    assert len(taken) == 2
