"""Ask the hub how large a checkpoint is, and find what of it is in the hub's cache."""

from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from export.hub.files import HubCheckpoint
from export.prepare.errors import PrepareError
from export.prepare.needs import CheckpointSize
from export.prepare.target import Target

HUB_TIMEOUT = 10.0  # seconds until the hub counts as unreachable


def checkpoint_size(target: Target) -> CheckpointSize:
    """Ask the hub, or look into its cache where it cannot be reached.

    Raises PrepareError if the hub refuses, or if neither has the checkpoint.
    """
    try:
        info = HfApi().model_info(
            target.hub_id, revision=target.revision, timeout=HUB_TIMEOUT, files_metadata=True
        )
    except RevisionNotFoundError as exc:
        raise PrepareError(
            f"{target.hub_id} has no revision {target.revision} on the hub; name a branch, tag or "
            "commit."
        ) from exc
    except GatedRepoError as exc:
        raise PrepareError(
            f"{target.hub_id} is gated; accept its terms on the hub and set HF_TOKEN."
        ) from exc
    except RepositoryNotFoundError as exc:
        raise PrepareError(
            f"{target.hub_id} is neither a directory here nor a public repository on the hub; "
            "check its spelling, or set HF_TOKEN if it is private."
        ) from exc
    except OSError as exc:
        return _cached_size(target, exc)
    checkpoint = HubCheckpoint.of(target.hub_id, target.revision, info)
    return CheckpointSize(checkpoint.total(), checkpoint.arrived())


def cache_directory() -> Path:
    """Return the directory of the hub's cache, which may not exist yet."""
    return Path(constants.HF_HUB_CACHE)


def _cached_size(target: Target, why: OSError) -> CheckpointSize:
    try:
        cached = snapshot_download(target.hub_id, revision=target.revision, local_files_only=True)
    except LocalEntryNotFoundError:
        raise PrepareError(
            f"the Hugging Face hub can't be reached ({type(why).__name__}), and {target.hub_id} is "
            "not in its cache; connect to the network and run the same command again."
        ) from why
    size = sum(path.stat().st_size for path in Path(cached).iterdir() if path.is_file())
    return CheckpointSize(size, size)
