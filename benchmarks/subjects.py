"""Models to measure with, in the forms that pipelines read them in."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import ModelUnavailable
from server.captioning.errors import ModelDirectoryError
from server.captioning.model.directory import read_manifest
from server.captioning.model.manifest import Manifest

WORK = Path(__file__).parent / ".work"
BASE = "base"
BASE_LABEL = "base geometry, random weights"
BASE_DIRECTORY = WORK / "base"


@dataclass(frozen=True, slots=True)
class Subject:
    """`label` stands wherever a figure shows; `home` holds what is derived from the model."""

    label: str
    home: Path
    checkpoint: Path | None
    directories: dict[str, Path]

    def directory(self, precision: str) -> Path:
        """The model directory of a precision. Raises ModelUnavailable."""
        if precision not in self.directories:
            raise ModelUnavailable(
                f"there is no {precision} model directory of {self.label}, only "
                f"{', '.join(sorted(self.directories)) or 'none at all'}; make it with "
                f"`python -m export ... --precision {precision}`"
            )
        return self.directories[precision]

    def any_directory(self) -> Path:
        """The fp32 model directory where there is one."""
        return self.directories.get("fp32") or next(iter(self.directories.values()))

    def least_directory(self) -> Path:
        """The int8 model directory where there is one."""
        return self.directories.get("int8") or self.any_directory()

    def manifest(self) -> Manifest:
        return read_manifest(self.any_directory())


def find_subject(name: str) -> Subject:
    """The base model made by `python -m benchmarks checkpoint`, or a model directory's.

    A checkpoint that the directory was exported from may lie inside it as `checkpoint`. Raises
    ModelUnavailable.
    """
    return _base() if name == BASE else _of_directory(Path(name))


def _base() -> Subject:
    precisions = ("fp32", "int8")
    present = {
        each: BASE_DIRECTORY / each for each in precisions if (BASE_DIRECTORY / each).is_dir()
    }
    if not present:
        raise ModelUnavailable(
            f"{BASE_LABEL} is not made yet; run `python -m benchmarks checkpoint` once (minutes), "
            "or choose another with --model DIR"
        )
    return Subject(BASE_LABEL, BASE_DIRECTORY, _checkpoint_in(BASE_DIRECTORY), present)


def _of_directory(directory: Path) -> Subject:
    try:
        manifest = read_manifest(directory)
    except ModelDirectoryError as exc:
        raise ModelUnavailable(str(exc)) from exc
    return Subject(
        label=manifest.name,
        home=WORK / manifest.name,
        checkpoint=_checkpoint_in(directory),
        directories={manifest.precision: directory},
    )


def _checkpoint_in(directory: Path) -> Path | None:
    checkpoint = directory / "checkpoint"
    weights = ("model.safetensors", "pytorch_model.bin")
    return checkpoint if any((checkpoint / name).is_file() for name in weights) else None
