"""Hostile JSON bodies on every dialect of a real server: its memory stays bounded."""

import json

import httpx
import pytest

from tests.server.http.routes.dialects import DIALECTS, PICTURE, Dialect, bare
from tests.server.memory import forget_peak, peak, resident
from tests.server.serving import server_process

pytestmark = pytest.mark.process

MB = 1_000_000
#: What a body of 10 MB in base64 takes at most, over the start: the body, its pieces, the picture.
MOST_AT_ONCE = 80 * MB
MOST_LEFT = 40 * MB


def large_bodies(dialect: Dialect) -> list[bytes]:
    """Return bodies near the limit or above it: one string, one picture, nesting, many members."""
    text = "x" * (13 * MB)
    body = {**dialect.body([PICTURE]), **dialect.more}
    nested = b"[" * (6 * MB) + b"]" * (6 * MB)
    return [
        json.dumps(text).encode(),
        json.dumps({**body, "unknown": text}).encode(),
        dialect.content(bytes(10 * MB)),
        dialect.content(bytes(11 * MB)),
        dialect.content(PICTURE).replace(bare(PICTURE).encode(), b"!" * (13 * MB)),
        dialect.content(PICTURE).replace(bare(PICTURE).encode(), b"\\/" * (6 * MB)),
        nested,
        b'{"options": ' + nested + b"}",
        b"{" + b'"a":1,' * (2 * MB) + b'"b":1}',
        b'{"messages": [' + b"{}," * (4 * MB) + b"{}]}",
    ]


def test_memory_is_bounded() -> None:
    """Large hostile bodies get an answer below 500, and take and leave bounded memory."""
    with (
        server_process("--no-cache") as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        pid = server.process.pid
        before = resident(pid)
        for dialect in DIALECTS:
            for body in large_bodies(dialect):
                forget_peak(pid)
                answer = client.post(dialect.path, content=body)

                case = f"{dialect.name} {body[:40]!r}"
                assert answer.status_code < 500, case
                assert peak(pid) - before < MOST_AT_ONCE, case
        assert resident(pid) - before < MOST_LEFT
