"""Compare a downloaded file with the digest that the hub lists for it."""

import hashlib
from pathlib import Path

from server.hub.errors import HubError
from server.hub.snapshot import HubFile


def check_digest(repository: str, file: HubFile, path: Path) -> None:
    """Check a file in the cache. Delete it and raise HubError if it is not what the hub lists."""
    if file.is_sha256:
        kind, found = "SHA-256", _sha256(path)
    elif file.is_sha1:
        kind, found = "SHA-1", _git_sha1(path)
    else:  # A hub that is not Hugging Face's own may list none.
        return
    if found != file.blob:
        for each in {path.resolve(), path}:
            each.unlink(missing_ok=True)
        raise HubError(
            f"{repository}: {file.name} is damaged: its {kind} is {found}, and the hub lists "
            f"{file.blob}; it was deleted from the cache, run the same command again."
        )


def check_cached(repository: str, path: Path) -> None:
    """Check a file in the cache, whose name there is its digest. Raises HubError."""
    check_digest(repository, HubFile(path.name, None, path.resolve().name), path)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _git_sha1(path: Path) -> str:
    """Return the digest that git gives to a file, which is not in large file storage."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
