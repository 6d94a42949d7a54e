"""Downloads from a hub on this machine, with real bytes, that break off in the middle."""

import json
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from server.hub.client import CHUNK
from server.hub.download import BACKOFF
from tests.export.command import ROOT, command, environment, export, find
from tests.hub.fake_hub import DEADLINE, serve_hub
from tests.hub.repositories import WEIGHTS, Line, Transfer

pytestmark = pytest.mark.process

REPOSITORY = "someone/blip"


def downloaded(home: Path) -> bytes:
    """Return the weights in the hub cache."""
    (path,) = (home / "hub").glob(f"models--*/snapshots/*/{WEIGHTS}")
    return path.read_bytes()


def download(home: Path, hub: str) -> list[str]:
    """Find the source in a process of its own. Return the lines on stderr."""
    result = subprocess.run(
        find(REPOSITORY),
        cwd=ROOT,
        env=environment(home, hub),
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    return result.stderr.splitlines()


def test_a_download_says_what_it_does(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Its start has the number of files and their size, its end the time; the cache needs none."""
    with serve_hub(REPOSITORY, tiny_checkpoint) as hub:
        began, ended = download(tmp_path, hub)
        again = download(tmp_path, hub)
    files = list(tiny_checkpoint.iterdir())
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    assert began.startswith(f"download {REPOSITORY}: {len(files)} files, {megabytes:.1f} MB; ")
    assert began.endswith(" free ...")
    assert ended.startswith(f"download {REPOSITORY}: done in ")
    assert again == []


def test_a_connection_that_breaks_is_resumed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Each attempt continues where the last one stopped, and the file is complete."""
    weights = (tiny_checkpoint / WEIGHTS).read_bytes()
    line = Line(breaks=(CHUNK + 10, CHUNK + 10, None))
    with serve_hub(REPOSITORY, tiny_checkpoint, line) as hub:
        lines = download(tmp_path, hub)
    assert [transfer.start for transfer in line.transfers] == [0, CHUNK, 2 * CHUNK]
    assert downloaded(tmp_path) == weights
    assert [line for line in lines if f"of {total(tiny_checkpoint):,} bytes" in line] == lines[1:3]
    assert all("resuming in 1 s" in line for line in lines[1:3])


def test_a_second_run_sends_only_the_rest(
    tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """A download that stays broken says how much arrived; the same command continues from there."""
    weights = (tiny_checkpoint / WEIGHTS).read_bytes()
    broken = Line(breaks=(2 * CHUNK + 10, 0))
    with serve_hub(REPOSITORY, tiny_checkpoint, broken) as hub:
        result = export(REPOSITORY, output, home=tmp_path, hub=hub)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"export: {REPOSITORY}: the download broke off after ")
    assert f"of {total(tiny_checkpoint):,} bytes (ChunkedEncodingError)" in last
    assert last.endswith("run the same command again to continue from there.")
    assert len(broken.transfers) == 1 + len(BACKOFF)
    whole = Line()
    with serve_hub(REPOSITORY, tiny_checkpoint, whole) as hub:
        download(tmp_path, hub)
    assert whole.transfers == [Transfer(start=2 * CHUNK, sent=len(weights) - 2 * CHUNK)]
    assert downloaded(tmp_path) == weights


def total(checkpoint: Path) -> int:
    return sum(path.stat().st_size for path in checkpoint.iterdir())


def test_an_interrupted_download_ends_at_once(
    tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """Not when the hub sends the rest, which it never does here."""
    released = threading.Event()
    line = Line(breaks=(CHUNK,), stalled=released)
    with serve_hub(REPOSITORY, tiny_checkpoint, line) as hub:
        process = subprocess.Popen(
            command(REPOSITORY, output),
            cwd=ROOT,
            env=environment(tmp_path, hub),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert line.reached.wait(DEADLINE)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=DEADLINE / 4)
        finally:
            process.kill()
            released.set()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == f"export: interrupted; {output} was not written."


def test_without_the_hub_a_partial_download_is_no_checkpoint(
    tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """With weights missing from the cache, the message says that the hub can't be reached."""
    with serve_hub(REPOSITORY, tiny_checkpoint) as hub:
        download(tmp_path, hub)
    (cached,) = (tmp_path / "hub").glob(f"models--*/snapshots/*/{WEIGHTS}")
    cached.unlink()
    result = export(REPOSITORY, output, home=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"export: {REPOSITORY} is not a directory here, and the Hugging Face")
    assert "can't be reached" in line


def test_another_architecture_is_refused_before_its_weights(
    tiny_checkpoint: Path, output: Path, tmp_path: Path
) -> None:
    """The configuration tells it, so that no gigabytes are downloaded in vain."""
    other = tmp_path / "bert"
    shutil.copytree(tiny_checkpoint, other)
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    (other / "config.json").write_text(json.dumps(config))
    line = Line()
    with serve_hub(REPOSITORY, other, line) as hub:
        result = export(REPOSITORY, output, home=tmp_path, hub=hub)
    assert result.returncode == 1
    assert f"{REPOSITORY} is a checkpoint of BertForMaskedLM" in result.stderr
    assert line.transfers == []
