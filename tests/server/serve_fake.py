"""Run `python -m server` with a fake captioner: a real process and real sockets, but no model.

If FAKE_GATE names a file, no caption is finished before the file exists. If FAKE_SECONDS is a
number, each caption takes that many seconds.
"""

import os
import sys
import threading
import time
from pathlib import Path

from server.__main__ import run
from server.settings import Settings
from tests.server.fakes import FakeModel


class FileGate(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        if Path(os.environ["FAKE_GATE"]).exists():
            return True
        time.sleep(timeout or 0)
        return False


class SlowGate(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        time.sleep(float(os.environ["FAKE_SECONDS"]))
        return True


def captioner() -> FakeModel:
    if "FAKE_GATE" in os.environ:
        return FakeModel(gate=FileGate())
    if "FAKE_SECONDS" in os.environ:
        return FakeModel(gate=SlowGate())
    return FakeModel()


if __name__ == "__main__":
    sys.exit(run(Settings.parse(sys.argv[1:], os.environ), lambda settings: captioner()))
