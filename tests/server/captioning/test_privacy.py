import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

REPORT = "import server.captioning.model.session, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"


def test_onnxruntime_does_not_report_usage() -> None:
    """Who runs the server did not agree to tell Microsoft; onnxruntime is told before import."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    told = subprocess.run(
        [sys.executable, "-c", REPORT], env=environ, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "1"
