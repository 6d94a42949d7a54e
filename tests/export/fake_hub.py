"""A Hugging Face hub with one repository, as far as downloading from it goes."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
WEIGHTS = "model.safetensors"
DEADLINE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Transfer:
    """One answer with bytes of the weights: where it began and how many bytes were sent."""

    start: int
    sent: int


@dataclass(slots=True)
class Line:
    """The connection to the hub: after how many bytes it breaks off, answer by answer.

    The last of `breaks` holds for all answers that follow; None is an answer that comes whole.
    With `stalled` an answer that breaks off keeps its connection open until that event is set.
    """

    breaks: tuple[int | None, ...] = (None,)
    stalled: threading.Event | None = None
    transfers: list[Transfer] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def send(self, start: int, body: bytes) -> bytes:
        """Return what passes of `body`, which starts at byte `start` of the weights."""
        limit = self.breaks[min(len(self.transfers), len(self.breaks) - 1)]
        passed = body[:limit]
        self.transfers.append(Transfer(start, len(passed)))
        return passed


class Hub(BaseHTTPRequestHandler):
    """The two calls a download makes: what a revision holds, and each file of a commit."""

    repository: str
    directory: Path
    line: Line

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def _answer(self, send_body: bool) -> None:
        url = urlsplit(self.path)
        match url.path.removeprefix("/").split("/"):
            case ["api", "models", owner, name, "revision", revision]:
                self._describe(f"{owner}/{name}", revision, "blobs" in url.query)
            case ["api", "models", owner, name]:
                self._describe(f"{owner}/{name}", "main", "blobs" in url.query)
            case [_, _, "resolve", commit, file] if commit in COMMITS.values():
                self._send_file(commit, self.directory / file, send_body)
            case _:
                self._refuse("EntryNotFound")

    def _describe(self, repository: str, revision: str, with_blobs: bool) -> None:
        if repository == "someone/gated":
            return self._refuse("GatedRepo", 403)
        if repository != self.repository:
            return self._refuse("RepoNotFound")
        commit = COMMITS.get(revision, revision)
        if commit not in COMMITS.values():
            return self._refuse("RevisionNotFound")
        siblings = [sibling(path, with_blobs) for path in self.directory.iterdir()]
        body = json.dumps({"id": repository, "sha": commit, "siblings": siblings}).encode()
        self._begin(200, len(body), {"X-Repo-Commit": commit})
        self.wfile.write(body)
        return None

    def _send_file(self, commit: str, path: Path, send_body: bool) -> None:
        content = path.read_bytes()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob_of(path)}"'}
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        self._begin(206 if start else 200, len(body), headers)
        if send_body and path.name == WEIGHTS:
            self.wfile.write(self.line.send(start, body))
            self.line.reached.set()
            if self.line.stalled:
                self.line.stalled.wait(DEADLINE)
        elif send_body:
            self.wfile.write(body)

    def _refuse(self, code: str, status: int = 404) -> None:
        self._begin(status, 0, {"X-Error-Code": code})

    def _begin(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(length)}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def sibling(path: Path, with_blob: bool) -> dict[str, object]:
    """Describe a file as the hub does: its size and digest only where they are asked for."""
    name: dict[str, object] = {"rfilename": path.name}
    if not with_blob:
        return name
    size = path.stat().st_size
    if path.name != WEIGHTS:
        return name | {"size": size, "blobId": blob_of(path)}
    lfs = {"size": size, "sha256": blob_of(path), "pointerSize": 134}
    return name | {"size": size, "blobId": "0" * 40, "lfs": lfs}


def blob_of(path: Path) -> str:
    """Return the ETag: SHA-256 for large files, git's SHA-1 for others."""
    content = path.read_bytes()
    if path.name == WEIGHTS:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serve_hub(repository: str, directory: Path, line: Line | None = None) -> Iterator[str]:
    """Yield the hub's address. `line` says where answers break off, and records them."""
    attributes = {"repository": repository, "directory": directory, "line": line or Line()}
    handler = type("OneRepository", (Hub,), attributes)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
