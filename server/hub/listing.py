"""Ask the hub which files a revision of a repository has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from requests.exceptions import RequestException

from server.hub.errors import HubError, HubUnreachable
from server.hub.reference import HubReference
from server.hub.snapshot import HubFile, Snapshot
from server.hub.transient import is_transient

HUB_TIMEOUT = 10.0  # seconds until the hub counts as unreachable


def list_snapshot(reference: HubReference, cache: Path) -> Snapshot:
    """Return all files of a revision. Raises HubError, and HubUnreachable if the hub is not asked.

    A token comes from HF_TOKEN or from where `hf auth login` keeps it.
    """
    with translated(reference):
        try:
            info = HfApi().model_info(
                reference.repository,
                revision=reference.revision,
                timeout=HUB_TIMEOUT,
                files_metadata=True,
            )
        except (RequestException, OfflineModeIsEnabled) as exc:
            if isinstance(exc, HfHubHTTPError) and not is_transient(exc):
                raise
            raise HubUnreachable(reference.repository, reason(exc)) from exc
    files = tuple(
        HubFile(file.rfilename, file.size, file.lfs.sha256 if file.lfs else file.blob_id)
        for file in info.siblings or []
    )
    return Snapshot(reference, str(info.sha), files, cache)


def reason(exc: BaseException) -> str:
    """Return in a few words why the hub does not answer."""
    if isinstance(exc, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    response = exc.response if isinstance(exc, RequestException) else None
    return type(exc).__name__ if response is None else f"status {response.status_code}"


@contextmanager
def translated(reference: HubReference) -> Iterator[None]:
    """Turn errors of huggingface_hub and of the disk within the block into HubError."""
    repository = reference.repository
    try:
        yield
    except RevisionNotFoundError as exc:
        raise HubError(
            f"{repository} has no revision {reference.revision} on the hub; name a branch, tag or "
            "commit."
        ) from exc
    except GatedRepoError as exc:
        raise HubError(
            f"{repository} is gated; accept its terms on the hub and set HF_TOKEN."
        ) from exc
    except RepositoryNotFoundError as exc:
        raise HubError(
            f"{repository} is not a public repository on the hub; check its spelling, or set "
            "HF_TOKEN if it is private."
        ) from exc
    except HFValidationError as exc:
        raise HubError(f"{repository} can't be a hub id: {one_line(exc)}; correct it.") from exc
    except HfHubHTTPError as exc:  # A refusal that no new attempt changes.
        raise HubError(
            f"{repository}: the hub refuses it: {one_line(exc)}; check HF_TOKEN and the name."
        ) from exc
    except OSError as exc:
        what = f"{exc.strerror}: {exc.filename}" if exc.filename else one_line(exc)
        raise HubError(
            f"{repository} can't be downloaded: {what}; mend that, or choose another directory for "
            "the cache (HF_HOME)."
        ) from exc


def one_line(exc: BaseException) -> str:
    """Return the message of an exception without line breaks and without a period at its end."""
    return " ".join(str(exc).split()).removesuffix(".")
