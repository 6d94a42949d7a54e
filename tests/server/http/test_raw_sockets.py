"""Requests with wrong bytes anywhere, also in the header, over real sockets."""

import asyncio
import gc
import random

import pytest

from tests.server.fakes import FakeModel
from tests.server.serving import listening_app
from tests.server.test_process import REQUEST

pytestmark = pytest.mark.anyio

MUTATIONS = 500


def mutated(chance: random.Random) -> bytes:
    """Change, remove, repeat or insert bytes of a caption request, and sometimes cut it."""
    request = bytearray(REQUEST)
    for _ in range(chance.randint(1, 2)):
        start = chance.randrange(len(request))
        end = start + chance.randint(0, 12)
        piece = bytes(request[start:end])
        request[start:end] = chance.choice([b"", piece * 2, chance.randbytes(3), b"\r\n", b"\x00"])
    return bytes(request[: chance.randrange(len(request))] if chance.random() < 0.2 else request)


async def status(port: int, sent: bytes) -> bytes:
    """Return the status of the first answer; empty if the connection closes without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(30):
            return (await reader.readline())[9:12]
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_mutations(caplog: pytest.LogCaptureFixture) -> None:
    """No damaged request causes a 5xx or a logged error, and each connection ends."""
    chance = random.Random(0)
    gc.collect()  # Tasks that earlier tests left log their errors now, and not below.
    caplog.clear()
    async with listening_app(FakeModel(), receive_timeout=0.3) as app:
        statuses: set[bytes] = set()
        for _ in range(MUTATIONS // 50):
            requests = [status(app.port, mutated(chance)) for _ in range(50)]
            statuses |= set(await asyncio.gather(*requests))

        assert {b"200", b"400", b"404", b"408"} <= statuses
        assert not [each for each in statuses if each.startswith(b"5")]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
