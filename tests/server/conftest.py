from collections.abc import Iterator

import pytest

from tests.server.valkey import Valkey


@pytest.fixture
def anyio_backend() -> str:
    """The server runs on asyncio alone: uvloop, and redis-py's asyncio client."""
    return "asyncio"


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.kill()
