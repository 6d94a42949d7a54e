"""Publishing at the end of an export."""

import os
import subprocess
from pathlib import Path

import pytest

from export.errors import PushError
from export.push import push_export
from tests.export.command import ROOT, command
from tests.hub.client import UNREACHABLE, hub_environment
from tests.hub.fake_hub import TOKEN, Hub, serve

pytestmark = pytest.mark.process

REPOSITORY = "someone/tiny"


def export_and_push(
    checkpoint: Path, output: Path, hub: str, token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    flags = ("--pictures", "1", "--push-to-hub", REPOSITORY, "--private")
    return subprocess.run(
        command(checkpoint, output, *flags),
        cwd=ROOT,
        env=hub_environment(output.parent.parent, hub, token),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_an_export_is_published(tiny_checkpoint: Path, output: Path, tmp_path: Path) -> None:
    """The hub gets the files of OUTPUT, and the summary is followed by how to serve them."""
    (tmp_path / "storage").mkdir()
    hub = Hub()
    with serve(hub, tmp_path / "storage") as address:
        done = export_and_push(tiny_checkpoint, output, address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"serve it: scripts/serve --model hf://{REPOSITORY}\n")
    assert hub.repositories[REPOSITORY].private
    found = hub.repositories[REPOSITORY].find("main")
    assert found
    for path in output.iterdir():
        assert found[1][path.name].read_bytes() == path.read_bytes()


@pytest.mark.parametrize("token", ["", "hf_wrong"])
def test_a_bad_token_is_found_before_the_export(
    token: str, tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """Minutes of export are not spent on what can't be pushed."""
    (tmp_path / "storage").mkdir()
    with serve(Hub(), tmp_path / "storage") as address:
        done = export_and_push(tiny_checkpoint, output, address, token)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"export: {REPOSITORY} can't be pushed")
    assert "HF_TOKEN" in line
    assert os.listdir(output.parent) == []


def test_an_unreachable_hub_is_found_before_the_export(tiny_checkpoint: Path, output: Path) -> None:
    """The line names the repository and the hub."""
    done = export_and_push(tiny_checkpoint, output, UNREACHABLE)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "hub can't be reached" in line
    assert os.listdir(output.parent) == []


def test_a_failed_push_names_the_command_that_repeats_it(tmp_path: Path) -> None:
    """The export is not needed again."""
    with pytest.raises(PushError) as caught:
        push_export(tmp_path, REPOSITORY, private=True)
    assert str(caught.value).endswith(f"python -m export.push {tmp_path} {REPOSITORY} --private")
