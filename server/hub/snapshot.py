"""The files of a commit on the hub, and how much of them is in the cache."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from server.hub.cache import repository_folder
from server.hub.reference import HubReference

SHA256_LENGTH, SHA1_LENGTH = 64, 40  # hex digits


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit: `size` in bytes and `blob`, its digest in hex, if the hub tells them.

    The digest is SHA-256 for files in large file storage, and git's SHA-1 for others.
    """

    name: str
    size: int | None
    blob: str | None

    @property
    def is_sha256(self) -> bool:
        return self.blob is not None and len(self.blob) == SHA256_LENGTH

    @property
    def is_sha1(self) -> bool:
        return self.blob is not None and len(self.blob) == SHA1_LENGTH


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files of `commit`, which `reference` stands for, and the cache that they belong to."""

    reference: HubReference
    commit: str
    files: tuple[HubFile, ...]
    cache: Path

    @property
    def repository(self) -> str:
        return self.reference.repository

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    @property
    def directory(self) -> Path:
        """Return the directory that the files have in the cache."""
        return self._folder / "snapshots" / self.commit

    def select(self, names: Collection[str]) -> "Snapshot":
        """Return the snapshot with the named files only."""
        return replace(self, files=tuple(file for file in self.files if file.name in names))

    def missing(self) -> list[HubFile]:
        """Return the files that are not complete in the cache."""
        return [file for file in self.files if not (self.directory / file.name).is_file()]

    def arrived(self) -> int:
        """Return the bytes in the cache, partial files included."""
        return sum(map(self._arrived, self.files))

    def total(self) -> int | None:
        """Return the bytes of all files, or None where the hub does not tell."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None

    def partial(self, file: HubFile) -> Path | None:
        """Return where huggingface_hub keeps what has arrived of a file."""
        return self._folder / "blobs" / f"{file.blob}.incomplete" if file.blob else None

    def lock(self, file: HubFile) -> Path | None:
        """Return the lock that huggingface_hub holds while it downloads the file."""
        folder = self.cache / ".locks" / self._folder.name
        return folder / f"{file.blob}.lock" if file.blob else None

    @property
    def _folder(self) -> Path:
        return repository_folder(self.cache, self.repository)

    def _arrived(self, file: HubFile) -> int:
        paths = [self.directory / file.name]
        if partial := self.partial(file):
            paths += [partial.with_suffix(""), partial]
        for path in paths:
            try:
                return path.stat().st_size
            except OSError:  # Not there, or moved to its place at this moment.
                continue
        return 0
