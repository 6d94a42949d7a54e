"""Upload a model directory with huggingface_hub, whose token comes from its usual place."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import (
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)
from requests.exceptions import RequestException

from export.errors import PushError
from export.hub.card import Licence, model_card
from server.captioning.model.directory import FILES, MANIFEST, ModelDirectory
from server.captioning.model.manifest import Manifest
from server.hub.client import quiet_log, without_bars
from server.hub.listing import one_line, reason

CARD = "README.md"


def check_token(repository: str) -> None:
    """Check that the hub accepts a token, before work whose result is pushed. Raises PushError."""
    with translated(repository):
        HfApi().whoami()


def find_licence(manifest: Manifest, repository: str) -> Licence:
    """Return the licence on the card of the checkpoint, or else on the card that is replaced."""
    licence = Licence()
    if manifest.revision is not None:
        licence = _licence_on_card(manifest.source, manifest.revision)
    return licence if licence.id else _licence_on_card(repository, None)


def _licence_on_card(repository: str, revision: str | None) -> Licence:
    """Return the licence as far as the hub tells."""
    try:
        card = HfApi().model_info(repository, revision=revision).card_data
    except (RequestException, OfflineModeIsEnabled):
        return Licence()
    if card is None or not isinstance(card.license, str):
        return Licence()
    return Licence(card.license, card.license_name, card.license_link)


def upload(directory: ModelDirectory, repository: str, *, private: bool, licence: Licence) -> str:
    """Create the repository if there is none, and commit the model directory with its card.

    Return the commit. It holds all files or, after an error, none. Raises PushError.
    """
    card = model_card(directory.manifest, repository, licence)
    operations = [
        CommitOperationAdd(CARD, card.encode()),
        *(CommitOperationAdd(name, directory.path / name) for name in (MANIFEST, *FILES)),
    ]
    bars = nullcontext() if sys.stderr.isatty() else without_bars()
    with translated(repository), quiet_log(), bars, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api = HfApi()
        api.create_repo(repository, private=True if private else None, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise PushError(
                f"{repository} exists and is public; make it private on the hub, or leave out "
                "--private."
            )
        title = f"Publish {directory.manifest.name} in {directory.manifest.precision}"
        return str(api.create_commit(repository, operations, commit_message=title).oid)


def upload_size(directory: Path) -> int:
    """Return the bytes of the files that are uploaded, without the card."""
    return sum((directory / name).stat().st_size for name in (MANIFEST, *FILES))


@contextmanager
def translated(repository: str) -> Iterator[None]:
    """Turn errors of huggingface_hub within the block into PushError."""
    try:
        yield
    except LocalTokenNotFoundError as exc:
        raise PushError(
            f"{repository} can't be pushed without a token: run `hf auth login`, or set HF_TOKEN "
            "to one with write access."
        ) from exc
    # The upload of a large file wraps what went wrong.
    except RuntimeError as exc:
        if not isinstance(exc.__cause__, RequestException):
            raise
        raise _push_error(repository, exc.__cause__) from exc
    except (RequestException, OfflineModeIsEnabled) as exc:
        raise _push_error(repository, exc) from exc
    except (HFValidationError, ValueError) as exc:
        raise PushError(f"{repository} can't be pushed: {one_line(exc)}.") from exc


def _push_error(repository: str, exc: RequestException | OfflineModeIsEnabled) -> PushError:
    response = exc.response if isinstance(exc, RequestException) else None
    status = response.status_code if response is not None else None
    if status == 401:
        return PushError(
            f"{repository} can't be pushed: the hub does not accept the token; run "
            "`hf auth login`, or set HF_TOKEN to a valid one."
        )
    if status in (403, 404):
        return PushError(
            f"{repository} can't be pushed: the token has no right to write there; check the "
            "owner's name, and give the token write access."
        )
    if status is not None and status < 500:
        return PushError(f"{repository} can't be pushed: {one_line(exc)}.")
    return PushError(
        f"{repository} can't be pushed: the Hugging Face hub can't be reached ({reason(exc)}); "
        "try again, large files that arrived are not sent twice."
    )
