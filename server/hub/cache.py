"""The hub's cache on disk: where the files of a commit are, complete or partial.

The layout is huggingface_hub's, so that other programs share the files:
models--OWNER--NAME/ has blobs/DIGEST, snapshots/COMMIT/FILE (links to blobs) and refs/REVISION.
"""

from pathlib import Path

from server.hub.reference import DEFAULT_REVISION, HubReference


def repository_folder(cache: Path, repository: str) -> Path:
    return cache / f"models--{repository.replace('/', '--')}"


def cached_snapshot(reference: HubReference, cache: Path) -> Path | None:
    """Return the directory of an earlier download, or None. Files may be missing from it."""
    folder = repository_folder(cache, reference.repository)
    revision = reference.revision or DEFAULT_REVISION
    try:
        commit = revision if reference.is_commit else (folder / "refs" / revision).read_text()
    except OSError:
        return None
    snapshot = folder / "snapshots" / commit.strip()
    return snapshot if commit.strip() and snapshot.is_dir() else None


def record_revision(reference: HubReference, commit: str, cache: Path) -> None:
    """Record which commit the revision stands for, so that it can be found without the hub."""
    if reference.is_commit:
        return
    folder = repository_folder(cache, reference.repository)
    path = folder / "refs" / (reference.revision or DEFAULT_REVISION)
    try:
        if path.is_file() and path.read_text() == commit:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)
    except OSError:
        pass  # The files are there, and a cache that can't be written still serves them.
