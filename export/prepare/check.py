"""State what a preparation takes before it starts, and refuse where the machine has too little."""

from export.prepare.errors import PrepareError
from export.prepare.needs import (
    CUDA_TORCH,
    CheckpointSize,
    EnvironmentSize,
    Folders,
    Resources,
    compare,
    estimate,
)
from export.prepare.terminal import gigabytes, say
from server.captioning.model.manifest import Precision


def check(
    checkpoint: CheckpointSize,
    packages: EnvironmentSize,
    precision: Precision,
    folders: Folders,
    machine: Resources,
    force: bool,
) -> None:
    """Print what the work takes. Raises PrepareError where that does not fit, unless `force`."""
    comparison = compare(estimate(checkpoint, packages, precision, folders), machine)
    say(f"download: {_downloads(checkpoint, packages)}; {comparison.line}")
    if comparison.shortages and not force:
        hint = "; TORCH_INDEX saves the CUDA packages" if packages == CUDA_TORCH else ""
        raise PrepareError(
            f"not enough {' nor '.join(comparison.shortages)}: free some, or pass --force{hint}."
        )


def _downloads(checkpoint: CheckpointSize, packages: EnvironmentSize) -> str:
    total = "of unknown size" if checkpoint.total is None else gigabytes(checkpoint.total)
    here = f" ({gigabytes(checkpoint.arrived)} of it here already)" if checkpoint.arrived else ""
    environment = f", packages about {gigabytes(packages.download)}" if packages.download else ""
    return f"checkpoint {total}{here}{environment}"
