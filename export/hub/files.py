"""The files of a checkpoint on the hub, and how much of them is in the hub's cache."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import ModelInfo, constants, try_to_load_from_cache
from huggingface_hub.file_download import repo_folder_name

CONFIGURATION = ("*.json", "*.txt")
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that exists is downloaded


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit: `size` in bytes and `blob`, its name in the cache, if the hub tells."""

    name: str
    size: int | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class HubCheckpoint:
    """The files of a checkpoint in `repository`; `commit` is what `revision` stands for."""

    repository: str
    revision: str | None
    commit: str
    files: tuple[HubFile, ...]

    @classmethod
    def of(cls, repository: str, revision: str | None, info: ModelInfo) -> "HubCheckpoint":
        return cls(repository, revision, str(info.sha), tuple(checkpoint_files(info)))

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    def missing(self) -> list[str]:
        """Return the names of the files that are not complete in the cache."""
        return [name for name in self.names if not isinstance(self._cached(name), str)]

    def arrived(self) -> int:
        """Return the bytes in the cache, partial files included."""
        return sum(map(self._arrived, self.files))

    def total(self) -> int | None:
        """Return the bytes of all files, or None where the hub does not tell."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None

    def _cached(self, name: str) -> object:
        return try_to_load_from_cache(self.repository, name, revision=self.commit)

    def _arrived(self, file: HubFile) -> int:
        if file.blob is None:
            return 0
        folder = repo_folder_name(repo_id=self.repository, repo_type="model")
        blob = Path(constants.HF_HUB_CACHE, folder, "blobs", file.blob)
        for path in (blob, blob.with_name(f"{blob.name}.incomplete")):
            if path.is_file():
                return path.stat().st_size
        return 0


def checkpoint_files(info: ModelInfo) -> Iterator[HubFile]:
    """Yield the files an export needs. Repositories hold the same weights in several formats."""
    files = info.siblings or []
    kinds = [kind for kind in WEIGHTS if any(fnmatch(file.rfilename, kind) for file in files)]
    for file in files:
        if any(fnmatch(file.rfilename, pattern) for pattern in (*CONFIGURATION, *kinds[:1])):
            blob = file.lfs.sha256 if file.lfs else file.blob_id
            yield HubFile(file.rfilename, file.size, blob)
