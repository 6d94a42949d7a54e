"""Download files of a commit into the hub's cache. Resume and retry a transfer that breaks off.

huggingface_hub 0.36 keeps what arrived as blobs/DIGEST.incomplete and continues it with a Range
request, but it gives up when a connection closes in the middle of a file. It locks each file, so
that two processes do not download the same one.
"""

import sys
import time
from pathlib import Path

from filelock import Timeout
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]
from requests.exceptions import RequestException

from server.hub.cache import record_revision
from server.hub.client import download_settings
from server.hub.digest import check_digest
from server.hub.disk import check_space, free_space
from server.hub.errors import HubError
from server.hub.listing import translated
from server.hub.progress import Report, progress, size
from server.hub.snapshot import HubFile, Snapshot
from server.hub.transient import cause, is_transient

# Seconds before each new attempt. New bytes since the last failure start the row again.
BACKOFF = (1, 2, 4)
LOCK_PATIENCE = 0.1  # seconds until a lock counts as held by another process
SMALL = 1 << 20  # bytes that need no report of progress


def download(snapshot: Snapshot, report: Report, *, bar: bool = True) -> Path:
    """Download the snapshot's files, record the revision and return their directory. Blocks.

    Report start, progress, failures and end through `report`, and with `bar` show a bar on a
    terminal. Raises HubError when the attempts are used up, when the disk is too small, and for a
    file whose digest is not the one that the hub lists.
    """
    directory = download_part(snapshot, report, bar=bar)
    record_revision(snapshot.reference, snapshot.commit, snapshot.cache)
    return directory


def download_part(snapshot: Snapshot, report: Report, *, bar: bool = True) -> Path:
    """Download files like `download`, but leave the revision at the commit that is complete."""
    with download_settings(), translated(snapshot.reference):
        if snapshot.missing():
            check_space(snapshot)
            total = snapshot.total()
            if total is not None and total < SMALL:
                _fetch_with_retries(snapshot, report)
            else:
                _fetch_with_progress(snapshot, report, bar=bar and sys.stderr.isatty())
    return snapshot.directory


def _fetch_with_progress(snapshot: Snapshot, report: Report, *, bar: bool) -> None:
    name, total, before = f"download {snapshot.repository}", snapshot.total(), snapshot.arrived()
    report(f"{name}: {_amount(snapshot)} ...")
    began = time.perf_counter()
    try:
        with progress(name, snapshot.arrived, total, report, bar=bar) as report_above:
            _fetch_with_retries(snapshot, report_above)
    except (KeyboardInterrupt, SystemExit):
        report(f"{name}: interrupted; what arrived is kept")
        raise
    seconds = time.perf_counter() - began
    rate = size((snapshot.arrived() - before) / seconds)
    report(f"{name}: done in {seconds:.1f} s, {rate}/s")


def _fetch(snapshot: Snapshot, report: Report) -> None:
    """Download what is missing, one file after the other."""
    # In this thread, so that an interruption takes effect at once.
    for file in snapshot.missing():
        _announce_wait(snapshot, file, report)
        _discard_overlong(snapshot, file)
        path = hf_hub_download(
            snapshot.repository,
            file.name,
            revision=snapshot.commit,
            cache_dir=snapshot.cache,
        )
        check_digest(snapshot.repository, file, Path(path))


def _fetch_with_retries(snapshot: Snapshot, report: Report) -> None:
    """Fetch until BACKOFF has no pause left without any new bytes in between."""
    pauses, arrived = iter(BACKOFF), snapshot.arrived()
    while True:
        try:
            return _fetch(snapshot, report)
        except (RequestException, OSError) as exc:
            if not is_transient(exc):
                raise
            before, arrived = arrived, snapshot.arrived()
            if arrived > before:
                pauses = iter(BACKOFF)
            broke_off = f"the download broke off after {_progress(arrived, snapshot.total())}"
            pause = next(pauses, None)
            if pause is None:
                raise HubError(
                    f"{snapshot.repository}: {broke_off} ({cause(exc)}); what arrived is kept: "
                    "run the same command again to continue from there."
                ) from exc
            line = f"download {snapshot.repository}: {broke_off} ({cause(exc)})"
        report(f"{line}; resuming in {pause} s")
        time.sleep(pause)


def _announce_wait(snapshot: Snapshot, file: HubFile, report: Report) -> None:
    """Report that another process downloads the file, if its lock is held."""
    lock = snapshot.lock(file)
    if lock is None:
        return
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with WeakFileLock(lock, timeout=LOCK_PATIENCE):
            pass
    except Timeout:
        report(
            f"download {snapshot.repository}: another process downloads {file.name}; waiting for "
            f"it to release {lock}"
        )


def _discard_overlong(snapshot: Snapshot, file: HubFile) -> None:
    """Delete a partial file that is longer than the whole, which the hub refuses to continue."""
    partial = snapshot.partial(file)
    if partial is None or file.size is None or not partial.is_file():
        return
    if partial.stat().st_size > file.size:
        partial.unlink(missing_ok=True)


def _amount(snapshot: Snapshot) -> str:
    total, arrived, count = snapshot.total(), snapshot.arrived(), len(snapshot.files)
    amount = f", {size(total)}" if total is not None else ""
    here = f", {size(arrived)} of them already here" if arrived >= SMALL else ""
    return f"{count} files{amount}{here}; {size(free_space(snapshot.cache))} free"


def _progress(arrived: int, total: int | None) -> str:
    return f"{arrived:,} bytes" if total is None else f"{arrived:,} of {total:,} bytes"
