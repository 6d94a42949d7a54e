import subprocess
import sys

import pytest

from tests.server.serving import ROOT

pytestmark = pytest.mark.process

PROGRAM = """
import sys
import server, server.app, server.__main__
print(sorted({"torch", "transformers", "optimum", "onnx"} & set(sys.modules)))
"""


def test_torch_stays_out() -> None:
    """The server runs where torch, transformers and optimum are not installed."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE)

    assert (done.returncode, done.stdout) == (0, b"[]\n")
