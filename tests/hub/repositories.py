"""What a fake hub holds: repositories, their commits and files."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from huggingface_hub import ModelCard

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
WEIGHTS = "model.safetensors"
#: Files that the hub keeps in large file storage, with SHA-256 as their digest.
LARGE = (".safetensors", ".onnx", ".bin")


@dataclass(slots=True)
class Repository:
    """Commits by their name, each with its files; branches and tags, each with its commit."""

    commits: dict[str, dict[str, Path]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    @classmethod
    def of(cls, directory: Path) -> "Repository":
        """Return a repository whose branch main and tag v1 both have the files of a directory."""
        files = {path.name: path for path in directory.iterdir() if path.is_file()}
        return cls(dict.fromkeys(COMMITS.values(), files), dict(COMMITS))

    def find(self, revision: str) -> tuple[str, dict[str, Path]] | None:
        """Return commit and files of a branch, tag or commit."""
        commit = self.revisions.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None

    def commit(self, files: Mapping[str, Path]) -> str:
        """Add a commit to main with these files changed. Return its name."""
        before = self.commits.get(self.revisions.get("main", ""), {})
        after = {**before, **files}
        listing = json.dumps({name: digest_of(path) for name, path in sorted(after.items())})
        commit = hashlib.sha1(listing.encode()).hexdigest()
        self.commits[commit] = after
        self.revisions["main"] = commit
        return commit


@dataclass(frozen=True, slots=True)
class Transfer:
    """One answer with bytes of the weights: where it began and how many bytes were sent."""

    start: int
    sent: int


@dataclass(slots=True)
class Line:
    """The connection to the hub: after how many bytes of `file` it breaks off, answer by answer.

    The last of `breaks` holds for all answers that follow; None is an answer that comes whole.
    With `stalled` an answer that breaks off keeps its connection open until that event is set, and
    with `resumes` the rest of it follows then.
    """

    breaks: tuple[int | None, ...] = (None,)
    stalled: threading.Event | None = None
    resumes: bool = False
    file: str = WEIGHTS
    transfers: list[Transfer] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def send(self, start: int, length: int) -> int:
        """Return how many of `length` bytes pass, which start at byte `start` of the file."""
        limit = self.breaks[min(len(self.transfers), len(self.breaks) - 1)]
        passed = length if limit is None else min(length, limit)
        self.transfers.append(Transfer(start, length if self.resumes else passed))
        return passed


def sibling(name: str, path: Path, with_blob: bool) -> dict[str, object]:
    """Describe a file as the hub does: its size and digest only where they are asked for."""
    if not with_blob:
        return {"rfilename": name}
    size = path.stat().st_size
    if not name.endswith(LARGE):
        return {"rfilename": name, "size": size, "blobId": digest_of(path)}
    lfs = {"size": size, "sha256": digest_of(path), "pointerSize": 134}
    return {"rfilename": name, "size": size, "blobId": "0" * 40, "lfs": lfs}


def card_data(files: Mapping[str, Path]) -> dict[str, object] | None:
    """Return the front matter of the model card."""
    if "README.md" not in files:
        return None
    return front_matter(files["README.md"].read_text())


def front_matter(card: str) -> dict[str, object]:
    """Return the front matter of a card, empty where it has none."""
    data: dict[str, object] = ModelCard(card).data.to_dict()  # type: ignore[no-untyped-call]
    return data


def digest_of(path: Path) -> str:
    """Return what the hub has as ETag: SHA-256 for large files, git's SHA-1 for others."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    if path.name.endswith(LARGE):
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    return hashlib.sha1(b"blob %d\0" % size + path.read_bytes()).hexdigest()
