"""Find the model directory that --model names: a directory here, or one on the Hugging Face hub."""

import logging
from dataclasses import replace
from pathlib import Path

from server.captioning.errors import AlteredFile, ModelDirectoryError
from server.captioning.model.directory import FILES, MANIFEST, read_manifest
from server.errors import StartupError
from server.hub.cache import cached_snapshot
from server.hub.digest import check_cached
from server.hub.errors import HubError, HubUnreachable
from server.hub.reference import SCHEME, HubReference, is_hub_id
from server.hub.snapshot import Snapshot
from server.settings import Settings

logger = logging.getLogger(__name__)

MODEL_FILES = (MANIFEST, *FILES)


def with_local_model(settings: Settings) -> Settings:
    """Return the settings with a directory as `model`. Raises StartupError."""
    # A bar would break up a log that programs read.
    bar = settings.log_format == "text"
    directory = resolve_model(settings.model, settings.model_cache, bar=bar)
    return replace(settings, model=str(directory))


def resolve_model(text: str, cache: Path | None = None, *, bar: bool = True) -> Path:
    """Return the model directory that `text` names, downloaded if it is on the hub. Blocks.

    A directory is returned as it is, unchecked. `hf://OWNER/NAME[@REVISION]` is downloaded into
    `cache`, by default the hub's own; a complete copy there is used where the hub can't be asked.
    Raises StartupError.
    """
    if text.startswith(SCHEME):
        try:
            reference = HubReference.parse(text)
        except ValueError as exc:
            raise StartupError(f"{exc}; correct --model.") from exc
        return _from_hub(reference, cache, bar=bar)
    directory = Path(text)
    # A mistyped path such as models/nmae has the form of a hub id, but its first part is here.
    if is_hub_id(text) and not directory.exists() and not directory.parent.is_dir():
        raise StartupError(
            f"{text} is not a directory. If it is a checkpoint on the Hugging Face hub, run "
            f"`scripts/serve --model {text}`, which exports it once; if it is an exported model "
            f"there, give {SCHEME}{text}."
        )
    return directory


def explain(error: Exception, model: str) -> str:
    """Return the message of an error of the model that was given as `model`.

    The remedy for a damaged file of the hub's cache is another download, not another export.
    """
    if isinstance(error, AlteredFile) and model.startswith(SCHEME):
        return (
            f"{error.path} is not the file that its manifest lists: its SHA-256 differs; delete "
            f"{error.path.resolve()} and start again, to download it again."
        )
    return str(error)


def _from_hub(reference: HubReference, cache: Path | None, *, bar: bool) -> Path:
    """Return the directory in the hub's cache, after a download if there is something new."""
    # Imported here, so that a directory does not wait for huggingface_hub.
    from server.hub.environment import default_cache, is_offline

    cache = cache or default_cache()
    cached = cached_snapshot(reference, cache)
    if cached is not None and not all((cached / name).is_file() for name in MODEL_FILES):
        cached = None
    if cached is not None and (reference.is_commit or is_offline()):
        return _checked(reference, cached)
    try:
        return _checked(reference, _download(reference, cache, bar=bar))
    except HubError as exc:
        if cached is None:
            where = f"{reference} is not in {cache}: " if isinstance(exc, HubUnreachable) else ""
            raise StartupError(f"{where}{exc}") from exc
        why = f"the hub can't be reached ({exc.reason})" if isinstance(exc, HubUnreachable) else exc
        logger.warning("%s: commit %.12s from the cache is served: %s", reference, cached.name, why)
        return _checked(reference, cached)


def _checked(reference: HubReference, directory: Path) -> Path:
    """Return a directory of the cache whose manifest is as the hub had it.

    The manifest has the digests of the other files, which are compared when they are loaded.
    """
    try:
        check_cached(reference.repository, directory / MANIFEST)
    except HubError as exc:
        raise StartupError(str(exc)) from exc
    return directory


def _download(reference: HubReference, cache: Path, *, bar: bool) -> Path:
    """Download the model directory, its manifest first. Raises HubError."""
    from server.hub.download import download, download_part
    from server.hub.listing import list_snapshot

    snapshot = list_snapshot(reference, cache)
    _check_names(reference, snapshot.names)
    download_part(snapshot.select([MANIFEST]), logger.info, bar=bar)
    _check_listed(reference, snapshot)
    return download(snapshot.select(MODEL_FILES), logger.info, bar=bar)


def _check_listed(reference: HubReference, snapshot: Snapshot) -> None:
    """Compare the digests in the manifest with the hub's, before large files are downloaded."""
    try:
        listed = read_manifest(snapshot.directory).files
    except ModelDirectoryError as exc:
        raise HubError(f"{reference} can't be served: {exc}") from exc
    for file in snapshot.select(FILES).files:
        if file.is_sha256 and file.blob != listed.get(file.name):
            raise HubError(
                f"{reference}: {file.name} on the hub is not the file that its {MANIFEST} lists: "
                "its SHA-256 differs; its owner has to publish the model again."
            )


def _check_names(reference: HubReference, names: list[str]) -> None:
    """Raise HubError unless the repository has the files of a model directory."""
    if MANIFEST not in names and "config.json" in names:
        raise HubError(
            f"{reference} is not a model directory but a checkpoint: it has no {MANIFEST}; run "
            f"`scripts/serve --model {reference.repository}`, which exports it once."
        )
    missing = [name for name in MODEL_FILES if name not in names]
    if missing:
        raise HubError(
            f"{reference} is not a model directory: it has no {', '.join(missing)}; publish one "
            "with `python -m export.push`."
        )
