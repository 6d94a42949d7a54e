"""Settings of huggingface_hub for the duration of a download."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

# Bytes that huggingface_hub collects before it writes them. Its own 10 MiB would be lost whenever a
# connection closes, and a connection that closes more often than that would never get further.
CHUNK = 1 << 20


@contextmanager
def download_settings() -> Iterator[None]:
    """Within the block, make downloads of huggingface_hub resumable and silent.

    The caller reports progress and retries.
    """
    with _resumable(), quiet_log(), without_bars(), warnings.catch_warnings():
        # It warns if the whole file does not fit on the disk, although a part of it is there.
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _resumable() -> Iterator[None]:
    """Make huggingface_hub write every CHUNK and use HTTP only.

    Its other protocol, Xet, restarts a partial file from the first byte.
    """
    before = constants.DOWNLOAD_CHUNK_SIZE, constants.HF_HUB_DISABLE_XET
    constants.DOWNLOAD_CHUNK_SIZE, constants.HF_HUB_DISABLE_XET = CHUNK, True
    try:
        yield
    finally:
        constants.DOWNLOAD_CHUNK_SIZE, constants.HF_HUB_DISABLE_XET = before


@contextmanager
def quiet_log() -> Iterator[None]:
    """Silence huggingface_hub's warnings within the block: its caller reports the retries."""
    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)


@contextmanager
def without_bars() -> Iterator[None]:
    """Disable huggingface_hub's progress bars within the block."""
    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
