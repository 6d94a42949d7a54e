"""Schemathesis: thousands of requests made from /openapi.json, valid ones and others."""

import os
import subprocess
import sys
from pathlib import Path

from tests.endurance.scale import scale
from tests.server.serving import server_process

#: Greatest number of generated requests for each operation, besides those of its boundary values.
EXAMPLES = scale(full=4000, quick=15)

#: The tool's own limit in seconds. The test's limit would leave the process behind.
TIMEOUT = scale(full=3000, quick=240)

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


def test_answers_are_as_documented(tmp_path: Path) -> None:
    """Every answer is documented, each refused request is refused, and none ends in a 5xx."""
    with server_process(module="server") as served:
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run"),
                f"{served.url}/openapi.json",
                *("--max-examples", str(EXAMPLES), "--seed", "1"),
                *("--generation-database", "none", "--continue-on-failure", "--no-color"),
            ],
            # It keeps failed cases in this folder.
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        tracebacks = [line for line in served.log if "Traceback" in line or "defect" in line]

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert tracebacks == []
