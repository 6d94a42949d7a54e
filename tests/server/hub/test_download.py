"""Downloads into the hub's cache: digests, disk, locks, partial files."""

import random
import threading
from pathlib import Path

import pytest
from filelock import FileLock

import server.hub.disk
from server.hub.client import CHUNK
from server.hub.download import download
from server.hub.errors import HubError
from server.hub.listing import list_snapshot
from server.hub.reference import HubReference
from server.hub.snapshot import Snapshot
from tests.hub.fake_hub import Hub
from tests.hub.repositories import WEIGHTS, Line, Repository, Transfer

REFERENCE = HubReference("someone/blip")
DEADLINE = 30.0  # seconds


@pytest.fixture
def weights(hub: Hub, tmp_path: Path) -> bytes:
    """Give the hub a repository with large weights and a small file. Return the weights."""
    content = random.Random(0).randbytes(3 * CHUNK)
    directory = tmp_path / "repository"
    directory.mkdir()
    (directory / WEIGHTS).write_bytes(content)
    (directory / "config.json").write_text("{}")
    hub.repositories[REFERENCE.repository] = Repository.of(directory)
    return content


@pytest.fixture
def snapshot(weights: bytes, tmp_path: Path) -> Snapshot:
    return list_snapshot(REFERENCE, tmp_path / "cache")


def test_files_arrive(snapshot: Snapshot, weights: bytes) -> None:
    """The directory has the files, the report start and end, and a second download does nothing."""
    lines: list[str] = []

    directory = download(snapshot, lines.append)

    assert (directory / WEIGHTS).read_bytes() == weights
    assert (directory / "config.json").read_text() == "{}"
    began, ended = lines
    assert began.startswith("download someone/blip: 2 files, 3.1 MB; ")
    assert ended.startswith("download someone/blip: done in ")
    assert download(snapshot, lines.append) == directory
    assert len(lines) == 2


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_damaged_file_is_named_and_deleted(
    name: str, snapshot: Snapshot, weights: bytes, hub: Hub
) -> None:
    """One byte that changes on the way is an error, and the next download gets the whole file."""
    hub.corrupt.add(name)
    with pytest.raises(HubError, match=f"{name} is damaged: its SHA-.*run the same command"):
        download(snapshot, lambda _: None)
    assert not (snapshot.directory / name).exists()

    hub.corrupt.clear()

    assert (download(snapshot, lambda _: None) / WEIGHTS).read_bytes() == weights


def test_a_damaged_partial_file_is_not_kept(snapshot: Snapshot, weights: bytes, hub: Hub) -> None:
    """A download that continues after wrong bytes fails once and then succeeds."""
    large = snapshot.select([WEIGHTS])
    partial = large.partial(large.files[0])
    assert partial
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bytes(CHUNK))
    with pytest.raises(HubError, match="damaged"):
        download(snapshot, lambda _: None)

    assert (download(snapshot, lambda _: None) / WEIGHTS).read_bytes() == weights
    assert [transfer.start for transfer in hub.line.transfers] == [CHUNK, 0]


def test_a_partial_file_that_is_too_long_starts_again(snapshot: Snapshot, weights: bytes) -> None:
    """The hub would refuse to continue behind the file's end."""
    large = snapshot.select([WEIGHTS])
    partial = large.partial(large.files[0])
    assert partial
    partial.parent.mkdir(parents=True)
    partial.write_bytes(weights + b"more")

    assert (download(snapshot, lambda _: None) / WEIGHTS).read_bytes() == weights


def test_a_broken_connection_is_continued(snapshot: Snapshot, weights: bytes, hub: Hub) -> None:
    """Only what is missing is sent again."""
    hub.line = Line(breaks=(CHUNK + 10, None))

    assert (download(snapshot, lambda _: None) / WEIGHTS).read_bytes() == weights
    assert hub.line.transfers == [Transfer(0, CHUNK + 10), Transfer(CHUNK, 2 * CHUNK)]


def test_a_disk_that_is_too_small(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needed and free bytes are named before anything is downloaded."""
    monkeypatch.setattr(server.hub.disk, "free_space", lambda _: 2_000_000)

    with pytest.raises(HubError, match=r"needs 3\.1 MB in .*cache, where 2\.0 MB are free"):
        download(snapshot, lambda _: None)

    assert snapshot.arrived() == 0


def test_what_is_already_here_needs_no_space(
    snapshot: Snapshot, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with room for the rest of a partial file is large enough."""
    large = snapshot.select([WEIGHTS])
    partial = large.partial(large.files[0])
    assert partial
    partial.parent.mkdir(parents=True)
    partial.write_bytes((hub.repositories["someone/blip"].commits["a" * 40][WEIGHTS]).read_bytes())
    monkeypatch.setattr(server.hub.disk, "free_space", lambda _: 2_000_000)

    download(snapshot, lambda _: None)


def test_a_cache_that_cannot_be_written(weights: bytes, tmp_path: Path) -> None:
    """A file in the place of the cache is named in one line, with the remedy."""
    (tmp_path / "cache").write_text("a file")
    snapshot = list_snapshot(REFERENCE, tmp_path / "cache")

    with pytest.raises(HubError, match=r"can't be downloaded: .*cache.*HF_HOME"):
        download(snapshot, lambda _: None)


def test_another_download_of_the_file_is_waited_for(snapshot: Snapshot, weights: bytes) -> None:
    """While another process holds a file's lock, the download says so and goes on afterwards."""
    large = snapshot.select([WEIGHTS])
    lock = large.lock(large.files[0])
    assert lock
    lock.parent.mkdir(parents=True)
    announced, released = threading.Event(), threading.Event()

    def report(line: str) -> None:
        if f"another process downloads {WEIGHTS}" in line and str(lock) in line:
            announced.set()

    def hold() -> None:
        with FileLock(lock):
            held.set()
            announced.wait(DEADLINE)
            released.set()

    held = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(DEADLINE)

    directory = download(snapshot, report)

    holder.join()
    assert announced.is_set()
    assert released.is_set()
    assert (directory / WEIGHTS).read_bytes() == weights


def test_a_revision_is_recorded_with_its_last_file(snapshot: Snapshot, hub: Hub) -> None:
    """A download that fails leaves no name for its incomplete commit."""
    refs = snapshot.cache / "models--someone--blip" / "refs" / "main"
    hub.corrupt.add("config.json")
    with pytest.raises(HubError):
        download(snapshot, lambda _: None)
    assert not refs.exists()

    hub.corrupt.clear()
    download(snapshot, lambda _: None)

    assert refs.read_text() == snapshot.commit
