"""Read and write manifest.json, the description of a model directory."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from server.captioning.errors import ModelDirectoryError
from server.captioning.model.records import read_record

SCHEMA_VERSION = 2

Precision = Literal["fp32", "int8"]

#: The fields that captions depend on. They do not depend on tool versions and measured figures.
DIGESTED = ("schema_version", "image", "encoder", "decoder", "tokens", "generation", "files")


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """The configuration of BlipImageProcessor. `resample` is a PIL.Image.Resampling value."""

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale_factor: float
    resample: int


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """The size of the encoder's last hidden state: positions, and hidden units of each."""

    tokens: int
    width: int


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """The text decoder's geometry. `max_positions` limits prompt and caption together."""

    layers: int
    heads: int
    head_dim: int
    vocab_size: int
    max_positions: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """The ids of special tokens, and the tokenizer's clean_up_tokenization_spaces."""

    start: int
    cls: int
    sep: int
    pad: int
    clean_up_spaces: bool


@dataclass(frozen=True, slots=True)
class GenerationDefaults:
    """The checkpoint's generation configuration, as transformers' generate() reads it."""

    max_length: int
    num_beams: int
    repetition_penalty: float
    no_repeat_ngram_size: int
    length_penalty: float
    early_stopping: bool | Literal["never"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of manifest.json.

    `source` is a hub id or the name of a directory, never a path. `files` maps names to SHA-256.
    `notice` is a sentence for the people who use the model, such as what it was trained for.
    """

    schema_version: int
    name: str
    source: str
    revision: str | None
    precision: Precision
    opset: int
    image: ImageSettings
    encoder: EncoderShape
    decoder: DecoderShape
    tokens: Tokens
    generation: GenerationDefaults
    files: dict[str, str]
    tools: dict[str, str]
    verification: dict[str, object]
    notice: str | None = None

    @property
    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that captions depend on: a part of the cache key."""
        record = asdict(self)
        digested = {name: record[name] for name in DIGESTED}
        canonical = json.dumps(digested, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> str:
        record = asdict(self)
        # Servers from before this field refuse it, so a model without a notice does not have it.
        if self.notice is None:
            del record["notice"]
        return json.dumps(record, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Parse a manifest strictly. Raises ModelDirectoryError for any other text."""
        try:
            document = json.loads(text)
            _check_schema_version(document)
            return read_record(cls, document)
        # RecursionError: the JSON is nested deeper than the parser can follow.
        except (ValueError, RecursionError) as exc:
            raise ModelDirectoryError(
                f"manifest.json is malformed: {exc}; export the checkpoint again."
            ) from exc


def _check_schema_version(document: object) -> None:
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema_version is {version!r:.40}, this server reads {SCHEMA_VERSION}")
