"""Open a model directory: the contract between export and server, checked by digest."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from server.captioning.errors import AlteredFile, ModelDirectoryError
from server.captioning.model.manifest import Manifest

MANIFEST = "manifest.json"
#: The manifest of a directory that the export refused.
REJECTED_MANIFEST = "manifest.rejected.json"
ENCODER = "encoder_model.onnx"
DECODER = "decoder_model.onnx"
TOKENIZER = "tokenizer.json"
FILES = (ENCODER, DECODER, TOKENIZER)


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """A directory whose files have the digests that its manifest lists."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> "ModelDirectory":
        """Read the manifest and compare the digest of every file with it.

        Raises ModelDirectoryError, which names the file that is missing, malformed or altered.
        """
        manifest = read_manifest(path)
        if set(manifest.files) != set(FILES):
            raise ModelDirectoryError(
                f"{path / MANIFEST} lists {', '.join(sorted(manifest.files)) or 'no files'}, "
                f"not {', '.join(sorted(FILES))}; export the checkpoint again."
            )
        for name, expected in manifest.files.items():
            if sha256_of(path / name) != expected:
                raise AlteredFile(path / name)
        return cls(path, manifest)

    @property
    def encoder(self) -> Path:
        return self.path / ENCODER

    @property
    def decoder(self) -> Path:
        return self.path / DECODER

    @property
    def tokenizer(self) -> Path:
        return self.path / TOKENIZER


def read_manifest(directory: Path) -> Manifest:
    """Read manifest.json. Raises ModelDirectoryError if it can't be read or has another schema."""
    try:
        text = (directory / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        if (directory / REJECTED_MANIFEST).is_file():
            raise ModelDirectoryError(
                f"{directory} is an export that was refused: its captions differ from "
                f"transformers' more often than --min-agreement allows ({REJECTED_MANIFEST} has "
                "the figures); export again with --keep-fp32."
            ) from exc
        raise _unreadable(directory / MANIFEST, exc) from exc
    return Manifest.from_json(text)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write manifest.json into an existing directory."""
    (directory / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex. Raises ModelDirectoryError if it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: OSError | UnicodeDecodeError) -> ModelDirectoryError:
    reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
    return ModelDirectoryError(
        f"{path} can't be read: {reason}; give a directory written by `python -m export`."
    )
