"""scripts/serve: one command from a hub id to a caption, and the flags that belong to it."""

import re
import signal
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.committed_model import EXAMPLES, shown_in, without_commas
from tests.export.command import ROOT, UNREACHABLE
from tests.export.prepare.commands import HUB_ID, Ended, Running, Workplace, open_gate

pytestmark = pytest.mark.process

SERVE = "export.prepare.serve"
FLAGS = ("--port", "0", "--no-cache", "--threads", "1")


def caption(running: Running) -> dict[str, object]:
    """Wait for the server to listen, and return its answer for an example picture."""
    found = re.search(r"http://.*:(\d+)", running.line_with("listening on"))
    assert found
    files = {"image": EXAMPLES[0].read_bytes()}
    answer = httpx.post(f"http://127.0.0.1:{found[1]}/caption", files=files, timeout=60)
    assert answer.status_code == 200
    body: dict[str, object] = answer.json()
    return body


def test_from_a_hub_id_to_a_caption(workplace: Workplace) -> None:
    """The first start exports and serves; the next needs neither hub nor export environment."""
    arguments = ("--model", HUB_ID, *FLAGS)
    with workplace.start(*arguments, module=SERVE) as running:
        answer = caption(running)
        running.process.terminate()
        ended = running.end()
    assert without_commas(str(answer["caption"])) == shown_in(EXAMPLES[0])
    assert answer["model"] == "blip"
    assert (ended.status, ended.stdout) == (0, "")
    assert any(line.startswith("stub: process") for line in ended.stderr)

    later = replace(workplace, hub=UNREACHABLE, more={"VENV_EXPORT": "/none"})
    with later.start(*arguments, module=SERVE) as running:
        assert caption(running) == answer
    assert not [line for line in running.lines if line.startswith(("prepare:", "stub:"))]


def test_the_variable_takes_a_hub_id_too(workplace: Workplace) -> None:
    """CAPTION_MODEL is read as --model is, and the flag wins over it."""
    with_variable = replace(workplace, more={"CAPTION_MODEL": HUB_ID})
    with with_variable.start("--precision", "fp32", *FLAGS, module=SERVE) as running:
        assert caption(running)["model"] == "blip"
    assert (workplace.models / "someone--blip-fp32").is_dir()
    other = replace(workplace, more={"CAPTION_MODEL": "someone/else"})
    with other.start("--model", HUB_ID, "--precision", "fp32", *FLAGS, module=SERVE) as running:
        assert caption(running)["model"] == "blip"


def test_without_a_hub_id_it_is_the_server(workplace: Workplace) -> None:
    """The committed model is served, and says what it knows."""
    with workplace.start(*FLAGS, module=SERVE) as running:
        assert caption(running)["model"] == "emoji_blip"
    (notice,) = [line for line in running.lines if "notice: " in line]
    assert "emoji scenes only" in notice
    assert "scripts/serve --model Salesforce/blip-image-captioning-base" in notice
    assert not workplace.models.exists()


def test_an_interruption_ends_without_a_server(waiting: Workplace, gate: Path) -> None:
    """After Ctrl-C during the export, the same command goes on to a served caption."""
    with waiting.start("--model", HUB_ID, *FLAGS, module=SERVE) as running:
        running.export()
        running.process.send_signal(signal.SIGINT)
        ended = running.end()
    assert ended.status == 130
    assert "run the same command again" in ended.stderr[-1]
    with waiting.start("--model", HUB_ID, *FLAGS, module=SERVE) as running:
        running.export()
        open_gate(gate)
        assert caption(running)["model"] == "blip"


def one_line(ended: Ended, *words: str) -> None:
    assert ended.status == 2
    (line,) = ended.stderr
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--precision", "int8"], ["--precision int8", "the committed model", "hub id"]),
        (["--model", "models/emoji_blip", "--revision", "v1"], ["--revision v1", "emoji_blip"]),
        (["--model", "hf://a/b", "--precision", "fp32"], ["--precision fp32", "hf://a/b"]),
        (["--model", "hf://a/b", "--force"], ["--force", "hf://a/b"]),
        (["--model", HUB_ID, "--precision", "fp7"], ["--precision", "fp7"]),
        (["--model", HUB_ID, "--revision", "../x"], ["--revision ../x"]),
        (["--model", HUB_ID, "--port", "many"], ["--port", "many"]),
        (["--model", HUB_ID, "--prot", "8001"], ["--prot"]),
    ],
)
def test_a_wrong_flag_ends_before_the_export(
    arguments: list[str], words: list[str], workplace: Workplace
) -> None:
    """One line names the flag, those of the server included, and nothing was made."""
    one_line(workplace.run(*arguments, module=SERVE), *words)
    assert not workplace.models.exists()


def test_a_wrong_variable_is_named(workplace: Workplace) -> None:
    """EXPORT_FLAGS with an open quote ends with one line."""
    wrong = replace(workplace, more={"EXPORT_FLAGS": "--images 'open"})
    one_line(wrong.run("--model", HUB_ID, module=SERVE), "EXPORT_FLAGS", "quot")


def test_help_has_both_sets_of_flags(workplace: Workplace) -> None:
    """The flags for a hub id, the variables, and the options of the server are listed."""
    ended = workplace.run("--help", module=SERVE)
    assert ended.status == 0
    for word in ("--precision", "--revision", "TORCH_INDEX", "--cache-ttl", "hf://"):
        assert word in ended.stdout


def test_the_script_runs_it() -> None:
    """scripts/serve starts this command and stays short."""
    lines = (ROOT / "scripts" / "serve").read_text().splitlines()
    assert any(f"-m {SERVE} " in line for line in lines)
    assert len(lines) <= 12
