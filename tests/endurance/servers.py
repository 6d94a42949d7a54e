"""Server processes, started and ended while this process's own event loop goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.server.serving import ServerProcess, server_process


@asynccontextmanager
async def running(
    *flags: str, module: str = "tests.server.serve_fake"
) -> AsyncIterator[ServerProcess]:
    context = server_process(*flags, module=module)
    server = await asyncio.to_thread(context.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
