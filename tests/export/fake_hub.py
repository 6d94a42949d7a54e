"""A Hugging Face hub with one repository, as far as downloading from it goes."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMITS = {"main": "a" * 40, "v1": "b" * 40}


class Hub(BaseHTTPRequestHandler):
    """The two calls a download makes: what a revision holds, and each file of a commit."""

    repository: str
    directory: Path

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def _answer(self, send_body: bool) -> None:
        match self.path.removeprefix("/").split("/"):
            case ["api", "models", owner, name, "revision", revision]:
                self._describe(f"{owner}/{name}", revision)
            case ["api", "models", owner, name]:
                self._describe(f"{owner}/{name}", "main")
            case [_, _, "resolve", commit, file] if commit in COMMITS.values():
                self._send(commit, (self.directory / file).read_bytes(), send_body)
            case _:
                self._refuse("EntryNotFound")

    def _describe(self, repository: str, revision: str) -> None:
        if repository == "someone/gated":
            return self._refuse("GatedRepo", 403)
        if repository != self.repository:
            return self._refuse("RepoNotFound")
        commit = COMMITS.get(revision, revision)
        if commit not in COMMITS.values():
            return self._refuse("RevisionNotFound")
        siblings = [{"rfilename": path.name} for path in self.directory.iterdir()]
        body = {"id": repository, "sha": commit, "siblings": siblings}
        return self._send(commit, json.dumps(body).encode())

    def _send(self, commit: str, body: bytes, send_body: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if send_body:
            self.wfile.write(body)

    def _refuse(self, code: str, status: int = 404) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve_hub(repository: str, directory: Path) -> Iterator[str]:
    """Yield the hub's address."""
    handler = type("OneRepository", (Hub,), {"repository": repository, "directory": directory})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
