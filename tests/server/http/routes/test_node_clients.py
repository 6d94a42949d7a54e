"""The official npm clients of Ollama and OpenAI, against a real server."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server.serving import server_process

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("npm"), reason="node and npm are not installed"),
]

NODE = Path(__file__).parent / "node"
KEY = "secret-key"
#: Seconds for npm to fetch the clients, and for all calls.
INSTALLATION, CALLS = 120, 60


@pytest.fixture(scope="module")
def clients() -> Path:
    """Install the locked versions beside their program, unless they are there."""
    modules = NODE / "node_modules"
    if not (modules / ".package-lock.json").exists():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=NODE, check=True, timeout=INSTALLATION)
    return NODE / "clients.js"


def test_npm_clients(clients: Path, tmp_path: Path) -> None:
    """Whole and streamed captions and errors reach the npm clients unchanged."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"picture")
    with server_process("--api-key", KEY, "--no-cache") as server:
        done = subprocess.run(
            ["node", clients, server.url, KEY, picture],
            check=False,
            capture_output=True,
            text=True,
            timeout=CALLS,
        )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        **dict.fromkeys(
            (
                "generate",
                "chat",
                "chat_stream",
                "completion",
                "completion_stream",
                "response",
                "response_stream",
            ),
            "7 bytes",
        ),
        "list": ["fake"],
        "wrong_key": 401,
        "no_picture": 415,
    }
