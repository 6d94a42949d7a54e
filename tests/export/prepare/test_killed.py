"""kill -9 in the middle of the work, with the real export of a tiny checkpoint."""

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from server.hub.client import CHUNK
from tests.export.prepare.commands import HUB_ID, Running, Workplace
from tests.export.prepare.test_serve import FLAGS, SERVE, caption
from tests.hub.fake_hub import serve_hub
from tests.hub.repositories import WEIGHTS, Line
from tests.server.serving import wait_until

pytestmark = pytest.mark.process

START = ("--model", HUB_ID, "--precision", "fp32", *FLAGS)


def partial_bytes(workplace: Workplace) -> int:
    """Return how many bytes of the weights are in the hub's cache."""
    files = (workplace.home / "hub").rglob("*.incomplete")
    total = 0
    for path in files:
        # A file that is complete by now has been renamed.
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def kill_both(workplace: Workplace, running: Running) -> None:
    """Kill the command first, so that it can't tell the export to end."""
    running.process.kill()
    running.process.wait()
    os.kill(int((workplace.models / ".prepare.lock").read_text()), signal.SIGKILL)


def test_killed_twice_it_ends_in_a_caption(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Killed in the download and in the export, the third run of one command goes on and serves."""
    more = {"VENV_EXPORT": sys.prefix, "EXPORT_FLAGS": "--pictures 1"}
    released, line = threading.Event(), Line(breaks=(CHUNK + 10, None))
    line.stalled = released
    with serve_hub(HUB_ID, tiny_checkpoint, line) as hub:
        workplace = Workplace(tmp_path, hub, more)
        with workplace.start(*START, module=SERVE) as running:
            wait_until(lambda: partial_bytes(workplace) == CHUNK)
            kill_both(workplace, running)
        released.set()

        with workplace.start(*START, module=SERVE) as running:
            running.line_with("caption with transformers")
            kill_both(workplace, running)
        size = (tiny_checkpoint / WEIGHTS).stat().st_size
        assert [(each.start, each.sent) for each in line.transfers[1:]] == [(CHUNK, size - CHUNK)]
        assert not (workplace.models / "someone--blip-fp32").exists()

        with workplace.start(*START, module=SERVE) as running:
            assert caption(running)["model"] == "blip"
        assert "stage fp32: kept from an earlier run" in running.lines
    assert len(line.transfers) == 2
