"""Find the checkpoint that SOURCE names: a local directory, or a repository of the hub."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from export.contents import CONFIG, check_architecture, check_contents
from export.errors import SourceError
from export.hub.files import checkpoint_files
from export.terminal.progress import print_line
from server.hub.cache import cached_snapshot
from server.hub.download import download, download_part
from server.hub.environment import default_cache
from server.hub.errors import HubError, HubUnreachable
from server.hub.listing import list_snapshot
from server.hub.reference import HubReference

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint's directory. `name` is its hub id or own name, `revision` the hub's commit."""

    directory: Path
    name: str
    revision: str | None


def find_source(source: str, revision: str | None) -> Source:
    """Return the checkpoint, downloaded if it is on the hub.

    Raises SourceError if it is missing, unreachable or not a BLIP captioning checkpoint.
    """
    directory = Path(source)
    if directory.is_dir():
        if revision is not None:
            raise SourceError(
                f"--revision {revision} has no meaning for the directory {source}; leave it out."
            )
        found = Source(directory, directory.resolve().name, None)
    elif HUB_ID.fullmatch(source) and not directory.exists():
        found = _from_hub(HubReference(source, revision))
    else:
        raise SourceError(
            f"{source} is neither a directory nor a hub id such as "
            "Salesforce/blip-image-captioning-base; correct it."
        )
    check_contents(found.directory, found.name)
    return found


def _from_hub(reference: HubReference) -> Source:
    cache = default_cache()
    try:
        snapshot = list_snapshot(reference, cache)
        # Another model is refused before its weights are downloaded.
        check_architecture(
            download_part(snapshot.select([CONFIG]), _print_line), reference.repository
        )
        needed = snapshot.select(checkpoint_files(snapshot.names))
        directory = download(needed, _print_line)
    except HubUnreachable as exc:
        directory = _from_cache(reference, cache, exc)
    except HubError as exc:
        raise SourceError(str(exc)) from exc
    # The cache names a snapshot's directory after its commit.
    return Source(directory, reference.repository, directory.name)


def _from_cache(reference: HubReference, cache: Path, why: HubUnreachable) -> Path:
    """Return the snapshot of an earlier download. `why` tells why the hub is not asked."""
    cached = cached_snapshot(reference, cache)
    # A download that broke off leaves a snapshot with files missing.
    if cached is not None:
        with suppress(SourceError):
            check_contents(cached, reference.repository)
            return cached
    raise SourceError(
        f"{reference.repository} is not a directory here, and the Hugging Face hub can't be "
        f"reached ({why.reason}); connect to the network, or give a checkpoint directory."
    ) from why


def _print_line(line: str) -> None:
    print_line(Console(stderr=True), line)
