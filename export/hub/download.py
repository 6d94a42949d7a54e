"""Download a checkpoint into the hub's cache. Resume and retry a transfer that breaks off.

huggingface_hub 0.36 keeps what arrived as blobs/ETAG.incomplete and continues it with a Range
request, but it gives up when a connection closes in the middle of a file.
"""

import time
from contextlib import nullcontext
from pathlib import Path

from huggingface_hub import ModelInfo, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from requests.exceptions import ChunkedEncodingError, ConnectionError, RequestException, Timeout
from rich.console import Console

from export.errors import SourceError
from export.hub.client import quiet_log, resumable, without_bars
from export.hub.files import HubCheckpoint
from export.terminal.progress import print_line

# Seconds before each new attempt. New bytes since the last failure start the row again.
BACKOFF = (1, 2, 4)
TRANSIENT_STATUSES = (408, 429, *range(500, 600))


def download(repository: str, revision: str | None, info: ModelInfo) -> Path:
    """Download the checkpoint's files at the commit of `info` and return their directory.

    Report start, failures and end on stderr, and on a terminal the hub's own progress bars. Raises
    SourceError when the attempts are used up; errors that a new attempt cannot mend pass through.
    """
    checkpoint = HubCheckpoint.of(repository, revision, info)
    console = Console(stderr=True)
    with resumable(), quiet_log(), nullcontext() if console.is_terminal else without_bars():
        if not checkpoint.missing():
            return fetch(checkpoint)
        print_line(console, f"download {repository}: {_amount(checkpoint)} ...")
        began = time.perf_counter()
        directory = fetch_with_retries(checkpoint, console)
    print_line(console, f"download {repository}: done in {time.perf_counter() - began:.1f} s")
    return directory


def fetch(checkpoint: HubCheckpoint) -> Path:
    """Download what is missing and return the snapshot's directory."""
    # One file after the other in this thread, so that an interruption takes effect at once.
    for name in checkpoint.missing():
        hf_hub_download(checkpoint.repository, name, revision=checkpoint.commit)
    # Every file is there now: this only records the commit under the revision's name.
    with without_bars():
        return Path(
            snapshot_download(
                checkpoint.repository,
                revision=checkpoint.revision,
                allow_patterns=checkpoint.names,
            )
        )


def fetch_with_retries(checkpoint: HubCheckpoint, console: Console) -> Path:
    """Fetch until BACKOFF has no pause left without any new bytes in between."""
    pauses, arrived = iter(BACKOFF), checkpoint.arrived()
    while True:
        try:
            return fetch(checkpoint)
        except (RequestException, OSError) as exc:
            if not is_transient(exc):
                raise
            before, arrived = arrived, checkpoint.arrived()
            if arrived > before:
                pauses = iter(BACKOFF)
            broke_off = f"the download broke off after {_progress(arrived, checkpoint.total())}"
            pause = next(pauses, None)
            if pause is None:
                raise SourceError(
                    f"{checkpoint.repository}: {broke_off} ({_cause(exc)}); what arrived is kept: "
                    "run the same command again to continue from there."
                ) from exc
            line = f"download {checkpoint.repository}: {broke_off} ({_cause(exc)})"
        print_line(console, f"{line}; resuming in {pause} s")
        time.sleep(pause)


def is_transient(exc: BaseException) -> bool:
    """Return whether a new attempt may succeed after `exc`."""
    match exc:
        case LocalEntryNotFoundError():  # the cause is why the hub could not be asked
            return exc.__cause__ is not None and is_transient(exc.__cause__)
        case HfHubHTTPError():
            return exc.response is not None and exc.response.status_code in TRANSIENT_STATUSES
        case RequestException():
            return isinstance(exc, ConnectionError | Timeout | ChunkedEncodingError)
        case OSError():
            # huggingface_hub's own check of a file's size; errors of the file system have a number.
            return exc.errno is None
    return False


def _cause(exc: BaseException) -> str:
    return type(exc.__cause__ if isinstance(exc, LocalEntryNotFoundError) else exc).__name__


def _amount(checkpoint: HubCheckpoint) -> str:
    total, arrived = checkpoint.total(), checkpoint.arrived()
    size = "" if total is None else f", {total / 1e6:,.1f} MB"
    here = f", {arrived / 1e6:,.1f} MB of them already here" if arrived else ""
    return f"{len(checkpoint.files)} files{size}{here}"


def _progress(arrived: int, total: int | None) -> str:
    return f"{arrived:,} bytes" if total is None else f"{arrived:,} of {total:,} bytes"
