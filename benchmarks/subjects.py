"""The models to measure with, in the forms that servers and pipelines read."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkouts import Checkout
from benchmarks.errors import Unavailable
from benchmarks.project import ModelDirectoryError, read_manifest

WORK = Path(__file__).parent / ".work"
BASE = "base"
BASE_LABEL = "base geometry, random weights"


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
    """Return the base model of `python -m benchmarks checkpoint`, or that of a model directory.

    The directory may hold the checkpoint of its export as `checkpoint`. Raises Unavailable.
    """
    directory = WORK / BASE if name == BASE else Path(name)
    checkpoint = directory / "checkpoint"
    weights = ("model.safetensors", "pytorch_model.bin")
    found = checkpoint if any((checkpoint / each).is_file() for each in weights) else None
    if name == BASE:
        if found is None:
            raise Unavailable(
                f"{BASE_LABEL}: not made yet; run `python -m benchmarks checkpoint` once, "
                "or choose another model with --model DIR"
            )
        return Subject(BASE_LABEL, directory, found, {})
    try:
        manifest = read_manifest(directory)
    except ModelDirectoryError as exc:
        raise Unavailable(str(exc)) from exc
    return Subject(manifest.name, WORK / manifest.name, found, {manifest.precision: directory})
