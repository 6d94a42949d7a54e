"""The models to measure with, in the forms that servers and pipelines read."""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkouts import ROOT, Checkout
from benchmarks.errors import Unavailable
from benchmarks.processes import process
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import read_manifest

WORK = Path(__file__).parent / ".work"
BASE = "base"
BASE_LABEL = "base geometry, random weights"
VOCABULARY = ROOT / "models" / "emoji_blip" / "checkpoint" / "vocab.txt"


@dataclass(frozen=True, slots=True)
class Subject:
    """`label` names the model beside every figure; `home` holds files derived from it.

    `given` maps a precision to a model directory that was not made by the suite.
    """

    label: str
    home: Path
    checkpoint: Path | None
    given: dict[str, Path]

    def directory(self, precision: str) -> Path:
        """Return the model directory of a precision, exported now if need be (minutes).

        Raises Unavailable.
        """
        if precision in self.given:
            return self.given[precision]
        checkpoint = self.required_checkpoint(f"an export in {precision}")
        return Checkout().export(checkpoint, self.home, precision)

    def required_checkpoint(self, user: str) -> Path:
        """Return the transformers checkpoint. Raises Unavailable, naming its user."""
        if self.checkpoint is None:
            raise Unavailable(
                f"{user} needs the transformers checkpoint of {self.label}; put it into the model "
                "directory as `checkpoint`"
            )
        return self.checkpoint


def find_subject(name: str) -> Subject:
    """Return the base model, made now if need be, or that of a model directory.

    The directory may hold the checkpoint of its export as `checkpoint`. Raises Unavailable.
    """
    if name == BASE:
        checkpoint = WORK / BASE / "checkpoint"
        if not checkpoint.is_dir():
            print(f"making {checkpoint}: 1 GB, two minutes", file=sys.stderr, flush=True)
            with process() as other:
                other.submit(_make_base, checkpoint).result()
        return Subject(BASE_LABEL, checkpoint.parent, checkpoint, {})
    directory = Path(name)
    checkpoint = directory / "checkpoint"
    weights = ("model.safetensors", "pytorch_model.bin")
    found = checkpoint if any((checkpoint / each).is_file() for each in weights) else None
    try:
        manifest = read_manifest(directory)
    except ModelDirectoryError as exc:
        raise Unavailable(str(exc)) from exc
    return Subject(manifest.name, WORK / manifest.name, found, {manifest.precision: directory})


def _make_base(checkpoint: Path) -> None:
    from benchmarks.random_weights import make_checkpoint

    make_checkpoint(checkpoint, VOCABULARY)
