"""Find the checkpoint that SOURCE names: a local directory, or a repository of the hub."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from requests.exceptions import RequestException

from export.contents import check_contents
from export.errors import SourceError
from export.hub.download import download

HUB_TIMEOUT = 10.0  # seconds until the hub counts as unreachable
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
        found = _from_hub(source, revision)
    else:
        raise SourceError(
            f"{source} is neither a directory nor a hub id such as "
            "Salesforce/blip-image-captioning-base; correct it."
        )
    check_contents(found.directory, found.name)
    return found


def _from_hub(repository: str, revision: str | None) -> Source:
    with translated(repository, revision):
        try:
            info = HfApi().model_info(
                repository, revision=revision, timeout=HUB_TIMEOUT, files_metadata=True
            )
        except (RevisionNotFoundError, RepositoryNotFoundError):
            raise
        except (RequestException, OfflineModeIsEnabled) as exc:
            directory = _from_cache(repository, revision, exc)
        else:
            directory = download(repository, revision, info)
    # The cache names a snapshot's directory after its commit.
    return Source(directory, repository, directory.name)


@contextmanager
def translated(repository: str, revision: str | None) -> Iterator[None]:
    """Turn the hub's errors within the block into SourceError."""
    try:
        yield
    except RevisionNotFoundError as exc:
        raise SourceError(
            f"{repository} has no revision {revision} on the hub; name a branch, tag or commit."
        ) from exc
    except GatedRepoError as exc:
        raise SourceError(
            f"{repository} is gated; accept its terms on the hub and set HF_TOKEN."
        ) from exc
    except RepositoryNotFoundError as exc:
        raise SourceError(
            f"{repository} is neither a directory here nor a public repository on the hub; "
            "check its spelling, or set HF_TOKEN if it is private."
        ) from exc
    # A refusal of the hub that no new attempt changes, or a full disk.
    except OSError as exc:
        reason = " ".join(str(exc).split())
        raise SourceError(
            f"{repository} can't be downloaded: {reason}; mend that, or give a checkpoint "
            "directory."
        ) from exc


def _from_cache(repository: str, revision: str | None, why: Exception) -> Path:
    """Return the snapshot of an earlier download. `why` tells why the hub is not asked."""
    try:
        cached = snapshot_download(repository, revision=revision, local_files_only=True)
        # A download that broke off leaves a snapshot with files missing.
        check_contents(Path(cached), repository)
    except (LocalEntryNotFoundError, SourceError):
        raise SourceError(
            f"{repository} is not a directory here, and the Hugging Face hub can't be reached "
            f"({type(why).__name__}); connect to the network, or give a checkpoint directory."
        ) from why
    return Path(cached)
