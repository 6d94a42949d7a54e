"""The clients in examples/, against a real server with the committed model."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.committed_model import EXAMPLES, shown_in, without_commas
from tests.server.serving import ROOT, ServerProcess, server_process

pytestmark = pytest.mark.process

CLIENTS: dict[str, list[str]] = {
    "caption.sh": ["sh"],
    "caption.py": [sys.executable],
    "caption.mjs": ["node"],
}
#: How to find the caption in what a client prints.
CAPTION_OF: dict[str, Callable[[str], str]] = {
    "caption.sh": lambda printed: str(json.loads(printed)["caption"]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with server_process("--no-cache", "--threads", "1", module="server") as server:
        yield server


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    interpreter = CLIENTS[name]
    if shutil.which(interpreter[0]) is None:
        pytest.skip(f"{interpreter[0]} is not installed")
    return subprocess.run(
        [*interpreter, f"examples/{name}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_example_is_run() -> None:
    """examples/ holds these clients and the page that describes them."""
    files = {path.name for path in (ROOT / "examples").iterdir() if path.is_file()}
    assert files == {*CLIENTS, "README.md"}


@pytest.mark.parametrize("name", CLIENTS)
def test_prints_the_caption(server: ServerProcess, name: str) -> None:
    """A client prints the caption of a picture and nothing else."""
    example = EXAMPLES[-1]
    done = run(name, example, server.url)
    assert (done.returncode, done.stderr) == (0, "")
    caption = CAPTION_OF.get(name, str.strip)(done.stdout)
    assert without_commas(caption) == shown_in(example)


@pytest.mark.parametrize("name", CLIENTS)
def test_says_why_it_is_refused(server: ServerProcess, name: str, tmp_path: Path) -> None:
    """A client shows the server's explanation of a refusal, and its status is not 0."""
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    done = run(name, text, server.url)
    assert done.returncode != 0
    assert "unsupported_image_format" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
