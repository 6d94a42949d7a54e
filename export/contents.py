"""Whether a directory holds a BLIP captioning checkpoint, told without loading it."""

import json
from typing import Any

from export.errors import SourceError
from export.sources import Source

ARCHITECTURE = "BlipForConditionalGeneration"

# One of each row has to be there.
REQUIRED = (
    ("config.json",),
    ("preprocessor_config.json",),
    ("tokenizer.json", "vocab.txt"),
    (
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ),
)


def check_contents(source: Source) -> None:
    """Raises SourceError for a checkpoint of another architecture or with files missing."""
    # The architecture first: what else its directory lacks is of no interest.
    if (source.directory / "config.json").is_file():
        _check_architecture(source)
    for names in REQUIRED:
        if not any((source.directory / name).is_file() for name in names):
            raise SourceError(
                f"{source.name} has no {' or '.join(names)}; "
                "save model and processor there with save_pretrained."
            )


def _check_architecture(source: Source) -> None:
    try:
        config: dict[str, Any] = json.loads((source.directory / "config.json").read_bytes())
    except ValueError as exc:
        raise SourceError(f"{source.name}/config.json is no JSON: {exc}.") from exc
    kind, architectures = config.get("model_type"), config.get("architectures") or [ARCHITECTURE]
    if kind != "blip" or ARCHITECTURE not in architectures:
        found = ", ".join(config.get("architectures") or [f"model_type {kind}"])
        raise SourceError(
            f"{source.name} is a checkpoint of {found}; only {ARCHITECTURE} can be exported."
        )
