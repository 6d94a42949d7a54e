"""A Hugging Face hub on this machine, as far as downloads and uploads of models go."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.hub.repositories import Line, Repository, card_data, digest_of, sibling
from tests.hub.uploads import Uploads

DEADLINE = 60.0  # seconds
TOKEN = "hf_write"
PIECE = 1 << 16


@dataclass(slots=True)
class Hub:
    """What the hub holds. `corrupt` names files whose first byte changes on the way to a client."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    line: Line = field(default_factory=Line)
    corrupt: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """The calls of a download: what a revision holds, and each file of a commit."""

    hub: Hub
    uploads: Uploads

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_POST(self) -> None:
        self._upload()

    def do_PUT(self) -> None:
        self._upload()

    def _answer(self, send_body: bool) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        url = urlsplit(self.path)
        match url.path.removeprefix("/").split("/"):
            case ["api", "whoami-v2"] if self._has_token():
                self.send_json(200, {"type": "user", "name": "someone"})
            case ["api", "whoami-v2"]:
                self.send_json(401, {"error": "Invalid credentials"})
            case ["api", "models", owner, name, "revision", revision]:
                self._describe(f"{owner}/{name}", revision, "blobs" in url.query)
            case ["api", "models", owner, name]:
                self._describe(f"{owner}/{name}", "main", "blobs" in url.query)
            case [owner, name, "resolve", commit, file]:
                self._send_file(f"{owner}/{name}", commit, file, send_body)
            case _:
                self._refuse("EntryNotFound")

    def _upload(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "POST" and not self._has_token():
            return self.send_json(401, {"error": "Invalid credentials"})
        host = f"http://{self.headers['Host']}"
        return self.send_json(*self.uploads.answer(urlsplit(self.path).path, body, host))

    def _has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _visible(self, name: str) -> Repository | None:
        """Return the repository, or refuse the request and return None."""
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._has_token()):
            self._refuse("RepoNotFound")
            return None
        if repository.gated:
            self._refuse("GatedRepo", 403)
            return None
        return repository

    def _describe(self, name: str, revision: str, with_blobs: bool) -> None:
        repository = self._visible(name)
        if repository is None:
            return None
        found = repository.find(revision)
        if found is None:
            return self._refuse("RevisionNotFound")
        commit, files = found
        siblings = [sibling(file, path, with_blobs) for file, path in files.items()]
        document = {"id": name, "sha": commit, "private": repository.private, "siblings": siblings}
        self.send_json(200, {**document, "cardData": card_data(files)}, {"X-Repo-Commit": commit})
        return None

    def _send_file(self, name: str, revision: str, file: str, send_body: bool) -> None:
        repository = self._visible(name)
        if repository is None:
            return None
        found = repository.find(revision)
        if found is None or file not in found[1]:
            return self._refuse("EntryNotFound")
        commit, files = found
        path, size = files[file], files[file].stat().st_size
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest_of(path)}"'}
        start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        self._begin(206 if start else 200, size - start, headers)
        line = self.hub.line
        if send_body and file == line.file:
            passed = line.send(start, size - start)
            self._send_bytes(path, start, passed)
            line.reached.set()
            if line.stalled:
                line.stalled.wait(DEADLINE)
            if line.resumes:
                self._send_bytes(path, start + passed, size - start - passed)
        elif send_body:
            self._send_bytes(path, start, size - start)
        return None

    def _send_bytes(self, path: Path, start: int, count: int) -> None:
        with path.open("rb") as content:
            content.seek(start)
            while count > 0 and (piece := content.read(min(count, PIECE))):
                count -= len(piece)
                if path.name in self.hub.corrupt and content.tell() == len(piece):
                    piece = bytes([piece[0] ^ 1]) + piece[1:]
                self.wfile.write(piece)

    def _refuse(self, code: str, status: int = 404) -> None:
        self._begin(status, 0, {"X-Error-Code": code})

    def send_json(
        self, status: int, document: object, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(document).encode()
        self._begin(status, len(body), {**(headers or {}), "Content-Type": "application/json"})
        self.wfile.write(body)

    def _begin(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(length)}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(hub: Hub, storage: Path) -> Iterator[str]:
    """Yield the hub's address. Uploads go to `storage`."""
    attributes = {"hub": hub, "uploads": Uploads(hub.repositories, storage)}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("OneHub", (Handler,), attributes)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_hub(repository: str, directory: Path, line: Line | None = None) -> Iterator[str]:
    """Yield the address of a hub with a repository, and someone/gated, which gives nothing.

    `line` says where answers break off, and records them.
    """
    repositories = {repository: Repository.of(directory), "someone/gated": Repository(gated=True)}
    with serve(Hub(repositories, line or Line()), storage=directory) as address:
        yield address
