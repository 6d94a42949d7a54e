"""Check that a directory holds a BLIP captioning checkpoint, without loading the weights."""

import json
from pathlib import Path
from typing import Any

from export.errors import SourceError

ARCHITECTURE = "BlipForConditionalGeneration"
CONFIG = "config.json"

# A checkpoint has at least one file of each row.
REQUIRED = (
    (CONFIG,),
    ("preprocessor_config.json", "processor_config.json"),  # the second from transformers 5
    ("tokenizer.json", "vocab.txt"),
    (
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ),
)


def check_contents(directory: Path, name: str) -> None:
    """Check architecture and files. Raises SourceError naming `name` and what is wrong."""
    # The architecture comes first: the missing files of another model are of no interest.
    check_architecture(directory, name)
    for files in REQUIRED:
        if not any((directory / file).is_file() for file in files):
            raise SourceError(
                f"{name} has no {' or '.join(files)}; "
                "save model and processor there with save_pretrained."
            )


def check_architecture(directory: Path, name: str) -> None:
    """Check the architecture that config.json names, if it is there. Raises SourceError."""
    if not (directory / CONFIG).is_file():
        return
    try:
        config: dict[str, Any] = json.loads((directory / CONFIG).read_bytes())
    except ValueError as exc:
        raise SourceError(
            f"{name}/config.json is not JSON: {exc}; save the checkpoint again."
        ) from exc
    kind, architectures = config.get("model_type"), config.get("architectures") or [ARCHITECTURE]
    if kind != "blip" or ARCHITECTURE not in architectures:
        found = ", ".join(config.get("architectures") or [f"model_type {kind}"])
        raise SourceError(
            f"{name} is a checkpoint of {found}; only {ARCHITECTURE} can be exported."
        )
