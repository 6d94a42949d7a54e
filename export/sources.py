"""SOURCE -> a directory with a checkpoint in it: a local one, or the hub's, downloaded."""

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from requests.exceptions import RequestException

from export.contents import check_contents
from export.errors import SourceError

HUB_TIMEOUT = 10.0  # seconds until the hub counts as out of reach
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
CONFIGURATION = ("*.json", "*.txt")
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that there is


@dataclass(frozen=True, slots=True)
class Source:
    """`name` is the hub id or the directory's own name; `revision` the hub's commit."""

    directory: Path
    name: str
    revision: str | None


def find_source(source: str, revision: str | None) -> Source:
    """Raises SourceError if there is no such checkpoint within reach, or it is none of BLIP's."""
    directory = Path(source)
    if directory.is_dir():
        if revision is not None:
            raise SourceError(f"--revision {revision} means nothing for the directory {source}.")
        found = Source(directory, directory.resolve().name, None)
    elif HUB_ID.fullmatch(source) and not directory.exists():
        found = _from_hub(source, revision)
    else:
        raise SourceError(
            f"{source} is neither a directory nor a hub id such as "
            "Salesforce/blip-image-captioning-base."
        )
    check_contents(found.directory, found.name)
    return found


def _from_hub(repository: str, revision: str | None) -> Source:
    at = f" at revision {revision}" if revision else ""
    try:
        info = HfApi().model_info(repository, revision=revision, timeout=HUB_TIMEOUT)
        directory = _download(repository, revision, info)
    except RevisionNotFoundError as exc:
        raise SourceError(f"{repository} has no revision {revision} on the hub.") from exc
    except GatedRepoError as exc:
        raise SourceError(
            f"{repository} is gated; accept its terms on the hub and set HF_TOKEN."
        ) from exc
    except RepositoryNotFoundError as exc:
        raise SourceError(
            f"{repository} is neither a directory here nor a public repository on the hub; "
            "check its spelling, or set HF_TOKEN if it is private."
        ) from exc
    except (RequestException, OfflineModeIsEnabled, HfHubHTTPError) as exc:
        directory = _from_cache(repository, revision, exc)
    except OSError as exc:
        raise SourceError(f"{repository}{at} can't be downloaded: {exc}.") from exc
    # The cache names a snapshot's directory after its commit.
    return Source(directory, repository, directory.name)


def _download(repository: str, revision: str | None, info: ModelInfo) -> Path:
    """Download no more than is needed: repositories carry the same weights in several formats."""
    names = [file.rfilename for file in info.siblings or []]
    kinds = (kind for kind in WEIGHTS if any(fnmatch(name, kind) for name in names))
    patterns = [*CONFIGURATION, *list(kinds)[:1]]
    # By the name that was asked for: the cache remembers its commit, for a time without network.
    return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))


def _from_cache(repository: str, revision: str | None, why: Exception) -> Path:
    try:
        cached = snapshot_download(repository, revision=revision, local_files_only=True)
        # A download that broke off leaves a snapshot with files missing.
        check_contents(Path(cached), repository)
    except (LocalEntryNotFoundError, SourceError):
        raise SourceError(
            f"{repository} is no directory here, and the Hugging Face hub can't be reached "
            f"({type(why).__name__}); connect to the network, or give a checkpoint directory."
        ) from why
    return Path(cached)
