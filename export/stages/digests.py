"""Digest files, and what a stage depends on."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

#: What a stage depends on: the name of each thing, and its digest or version.
Key = Mapping[str, str]


def digest_of_files(files: Iterable[Path], root: Path) -> str:
    """Return the SHA-256 over the names, relative to `root`, and the contents of `files`."""
    digest = hashlib.sha256()
    for path in sorted(files):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return digest.hexdigest()
