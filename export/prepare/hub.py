"""Ask the hub how large a checkpoint is, and find what of the work is on disk already."""

from pathlib import Path

from export.hub.files import checkpoint_files
from export.prepare.errors import PrepareError
from export.prepare.needs import CheckpointSize
from export.prepare.target import Target
from server.hub.cache import cached_snapshot
from server.hub.environment import default_cache
from server.hub.errors import HubError, HubUnreachable
from server.hub.listing import list_snapshot
from server.hub.reference import HubReference


def checkpoint_size(target: Target) -> CheckpointSize:
    """Ask the hub, or look into its cache where it cannot be reached.

    Raises PrepareError if the hub refuses, or if neither has the checkpoint.
    """
    reference, kept = HubReference(target.hub_id, target.revision), _size(target.work)
    try:
        snapshot = list_snapshot(reference, cache_directory())
    except HubUnreachable as exc:
        size = _cached_size(reference, exc)
        return CheckpointSize(size, size, kept)
    except HubError as exc:
        raise PrepareError(str(exc)) from exc
    checkpoint = snapshot.select(checkpoint_files(snapshot.names))
    return CheckpointSize(checkpoint.total(), checkpoint.arrived(), kept)


def cache_directory() -> Path:
    """Return the directory of the hub's cache, which may not exist yet."""
    return default_cache()


def _cached_size(reference: HubReference, why: HubUnreachable) -> int:
    cached = cached_snapshot(reference, cache_directory())
    if cached is None:
        raise PrepareError(
            f"the Hugging Face hub can't be reached ({why.reason}), and {reference.repository} is "
            "not in its cache; connect to the network and run the same command again."
        ) from why
    return _size(cached)


def _size(directory: Path) -> int:
    """Return the bytes of the files below a directory, 0 if it is not there."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
