"""A preparation as a person meets it: what it says, how it waits, and how it ends."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from server.captioning.model.directory import read_manifest
from tests.export.command import UNREACHABLE
from tests.export.prepare.commands import HUB_ID, Workplace, open_gate

pytestmark = pytest.mark.process

DIRECTORY = "someone--blip-int8"


def test_the_path_is_the_only_output(workplace: Workplace) -> None:
    """stdout has the directory, and stderr the needs before the export and the time after it."""
    ended = workplace.run(HUB_ID)
    assert ended.status == 0, ended.stderr
    assert ended.stdout == f"{workplace.models / DIRECTORY}\n"
    named, needs, export, ready = ended.stderr
    assert named == f"prepare: {HUB_ID} in int8 -> {workplace.models / DIRECTORY}"
    assert needs.startswith("prepare: download: checkpoint 1 MB; disk: 3 MB needed, ")
    assert "memory: 1.0 GB needed, " in needs
    assert export.endswith(f"{HUB_ID} {workplace.models / DIRECTORY} --precision int8 --name blip")
    assert ready.startswith(f"prepare: {workplace.models / DIRECTORY} is ready after ")


def test_flags_reach_the_export(workplace: Workplace) -> None:
    """Precision, revision and EXPORT_FLAGS are passed on, and the first two name the directory."""
    workplace = replace(workplace, more={"EXPORT_FLAGS": "--images 'my pictures'"})
    ended = workplace.run(HUB_ID, "--precision", "fp32", "--revision", "v1")
    assert ended.stdout == f"{workplace.models / 'someone--blip@v1-fp32'}\n"
    assert ended.stderr[2].endswith(
        "--precision fp32 --name blip --revision v1 --images my pictures"
    )


def test_a_finished_directory_needs_nothing(workplace: Workplace) -> None:
    """Neither the hub nor the export environment nor the lock is used again."""
    assert workplace.run(HUB_ID).status == 0
    (workplace.models / ".prepare.lock").unlink()
    without = replace(workplace, hub=UNREACHABLE, more={"VENV_EXPORT": "/none"})
    ended = without.run(HUB_ID)
    assert (ended.status, ended.stderr) == (0, [])
    assert ended.stdout == f"{workplace.models / DIRECTORY}\n"
    assert os.listdir(workplace.models) == [DIRECTORY]


def test_the_second_of_two_waits(waiting: Workplace, gate: Path) -> None:
    """It names the process that it waits for, and uses the directory without another export."""
    with waiting.start(HUB_ID) as first:
        pid = first.export()
        with waiting.start(HUB_ID) as second:
            line = second.line_with("waiting")
            assert f"another preparation is running (process {pid})" in line
            open_gate(gate)
            assert first.end().status == 0
            ended = second.end()
    assert (ended.status, ended.stdout) == (0, f"{waiting.models / DIRECTORY}\n")
    assert ended.stderr == [line]


def test_an_export_that_outlives_its_command_is_waited_for(waiting: Workplace, gate: Path) -> None:
    """kill -9 of the command alone leaves an export that no second one disturbs."""
    with waiting.start(HUB_ID) as first:
        pid = first.export()
        first.process.kill()
        first.process.wait()
        with waiting.start(HUB_ID) as second:
            assert f"(process {pid})" in second.line_with("waiting")
            open_gate(gate)
            ended = second.end()
    assert (ended.status, len(ended.stderr)) == (0, 1)
    assert read_manifest(waiting.models / DIRECTORY).source == HUB_ID


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_export_first(waiting: Workplace, number: signal.Signals) -> None:
    """The export gets the signal, and the last line says how to continue."""
    with waiting.start(HUB_ID) as running:
        pid = running.export()
        running.process.send_signal(number)
        ended = running.end()
    assert ended.status == 128 + number
    assert not Path(f"/proc/{pid}").exists()
    assert ended.stderr[-1] == (
        "prepare: interrupted; finished work is kept: run the same command again to continue."
    )
    assert ended.stderr[-2] == f"stub: {number.name}"


def test_a_second_signal_kills_the_export(waiting: Workplace) -> None:
    """An export that does not end on the first Ctrl-C ends on the second."""
    stubborn = replace(waiting, more={**waiting.more, "STUB_ENDS": "never"})
    with stubborn.start(HUB_ID) as running:
        running.export()
        running.process.send_signal(signal.SIGINT)
        running.line_with("stub: SIGINT")
        running.process.send_signal(signal.SIGINT)
        assert running.end().status == 128 + signal.SIGINT


def test_a_killed_export_is_named(waiting: Workplace) -> None:
    """The signal and its usual cause are named, for the kernel kills where memory runs out."""
    with waiting.start(HUB_ID) as running:
        os.kill(running.export(), signal.SIGKILL)
        ended = running.end()
    assert ended.status == 1
    assert "signal 9" in ended.stderr[-1]
    assert "memory" in ended.stderr[-1]


def test_a_refusal_names_the_candidate_and_the_remedies(workplace: Workplace) -> None:
    """After the export's own line comes one with the directory and the two ways on."""
    ended = replace(workplace, more={"STUB_ENDS": "refused"}).run(HUB_ID)
    assert ended.status == 1
    assert ended.stderr[-2].startswith("export: ")
    for words in (f"{DIRECTORY}.rejected", "--keep-fp32 auto", "--precision fp32"):
        assert words in ended.stderr[-1]
    assert not (workplace.models / DIRECTORY).exists()


def test_a_failed_export_has_the_last_word(workplace: Workplace) -> None:
    """Its line has the remedy, and its status is the command's."""
    ended = replace(workplace, more={"STUB_ENDS": "failed"}).run(HUB_ID)
    assert (ended.status, ended.stderr[-1]) == (1, "export: the disk is full; free some.")


def test_without_hub_and_cache_nothing_starts(workplace: Workplace) -> None:
    """The hub and the remedy are named, before any environment is made."""
    ended = replace(workplace, hub=UNREACHABLE).run(HUB_ID)
    assert ended.status == 1
    (line,) = ended.stderr
    assert "hub can't be reached" in line
    assert HUB_ID in line


def test_a_checkpoint_in_the_cache_needs_no_hub(workplace: Workplace) -> None:
    """Its size is that of the files in the cache, and nothing of it is to be downloaded."""
    commit = workplace.home / "hub" / "hub" / "models--someone--blip" / "snapshots" / ("a" * 40)
    commit.mkdir(parents=True)
    (commit / "model.safetensors").write_bytes(bytes(2_000_000))
    refs = commit.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    ended = replace(workplace, hub=UNREACHABLE).run(HUB_ID)
    assert ended.status == 0, ended.stderr
    assert "checkpoint 2 MB (2 MB of it here already)" in ended.stderr[1]


def test_kept_stages_are_not_needed_again(workplace: Workplace) -> None:
    """The graphs of a run that did not end take no further disk."""
    stage = workplace.models / f".{DIRECTORY}.export" / "fp32"
    stage.mkdir(parents=True)
    (stage / "encoder_model.onnx").write_bytes(bytes(1_000_000))
    assert "disk: 2 MB needed" in workplace.run(HUB_ID).stderr[1]


@pytest.mark.parametrize(
    ("hub_id", "flags", "words"),
    [
        ("someone/else", (), ["someone/else", "spelling"]),
        ("someone/gated", (), ["gated", "HF_TOKEN"]),
        (HUB_ID, ("--revision", "v9"), ["revision v9"]),
    ],
)
def test_a_refusal_of_the_hub_is_one_line(
    hub_id: str, flags: tuple[str, ...], words: list[str], workplace: Workplace
) -> None:
    """An unknown id, a gated one and an unknown revision are told apart."""
    ended = workplace.run(hub_id, *flags)
    assert ended.status == 1
    (line,) = ended.stderr
    for word in words:
        assert word in line


def test_an_environment_that_is_not_there_is_named(workplace: Workplace) -> None:
    """VENV_EXPORT is used as it is, so a wrong one is an error and not installed."""
    ended = replace(workplace, more={"VENV_EXPORT": "/none"}).run(HUB_ID)
    assert ended.status == 1
    assert ended.stderr[-1].startswith("prepare: VENV_EXPORT is /none, which has no bin/python")
