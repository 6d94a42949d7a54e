"""`python -m server` with a fake captioner: a real process, real sockets, no model directory."""

import os
import sys

from server.__main__ import run
from server.settings import Settings
from tests.server.fakes import FakeCaptioner

if __name__ == "__main__":
    sys.exit(run(Settings.parse(sys.argv[1:], os.environ), lambda settings: FakeCaptioner()))
