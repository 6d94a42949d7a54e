"""The calls of an upload: create a repository, prepare, send large files, commit."""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hub.repositories import LARGE, Repository, front_matter

Answer = tuple[int, object]


@dataclass(frozen=True, slots=True)
class Uploads:
    repositories: dict[str, Repository]
    storage: Path

    def answer(self, path: str, body: bytes, host: str) -> Answer:
        """Return status and JSON of a POST or PUT."""
        match path.removeprefix("/").split("/"):
            case ["api", "repos", "create"]:
                return self._create(json.loads(body), host)
            case ["api", "validate-yaml"]:
                return self._validate(json.loads(body)["content"])
            case ["api", "models", "someone", _, "preupload", "main"]:
                return self._preupload(json.loads(body)["files"])
            case ["someone", _, "info", "lfs", "objects", "batch"]:
                return self._batch(json.loads(body)["objects"], host)
            case ["lfs", digest]:
                return self._put(digest, body)
            case ["api", "models", "someone", name, "commit", "main"]:
                return self._commit(f"someone/{name}", map(json.loads, body.splitlines()), host)
        return 404, {"error": f"no such call: {path}"}

    def _create(self, wanted: dict[str, Any], host: str) -> Answer:
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != "someone":  # The only name that the token may write to.
            return 403, {"error": f"You don't have the rights to create {name}"}
        if name in self.repositories:
            return 409, {"error": "You already created this model repo", "url": f"{host}/{name}"}
        self.repositories[name] = Repository(private=wanted.get("private") or False)
        self.repositories[name].commit({})
        return 200, {"url": f"{host}/{name}"}

    def _validate(self, card: str) -> Answer:
        if front_matter(card):
            return 200, {"errors": [], "warnings": []}
        return 400, {"errors": [{"message": "there is no front matter"}], "warnings": []}

    def _preupload(self, files: Iterable[dict[str, Any]]) -> Answer:
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in files
        ]
        return 200, {"files": modes}

    def _batch(self, objects: Iterable[dict[str, Any]], host: str) -> Answer:
        actions = [
            each
            if (self.storage / each["oid"]).exists()
            else {**each, "actions": {"upload": {"href": f"{host}/lfs/{each['oid']}"}}}
            for each in objects
        ]
        return 200, {"transfer": "basic", "objects": actions}

    def _put(self, digest: str, content: bytes) -> Answer:
        if hashlib.sha256(content).hexdigest() != digest:
            return 400, {"error": "the content has another digest"}
        (self.storage / digest).write_bytes(content)
        return 200, {}

    def _commit(self, name: str, lines: Iterable[dict[str, Any]], host: str) -> Answer:
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "lfsFile":
                content = (self.storage / value["oid"]).read_bytes()
            elif line["key"] == "file":
                content = base64.b64decode(value["content"])
            else:
                continue
            # Each version of a file keeps its content, and its name tells the kind of its digest.
            folder = self.storage / hashlib.sha256(content).hexdigest()[:16]
            folder.mkdir(exist_ok=True)
            files[value["path"]] = folder / value["path"]
            files[value["path"]].write_bytes(content)
        commit = self.repositories[name].commit(files)
        return 200, {"commitOid": commit, "commitUrl": f"{host}/{name}/commit/{commit}"}
