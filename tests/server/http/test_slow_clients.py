"""Connections that never finish their request, over real sockets."""

import asyncio
import json
import re
from contextlib import suppress

import httpx
import pytest

from server.http.uvicorn_protocol import MAX_HEADER
from tests.server.fakes import FakeModel
from tests.server.serving import listening_app, until

pytestmark = pytest.mark.anyio

RECEIVE_TIMEOUT = 0.5

HEADER = (
    b"POST /caption HTTP/1.1\r\nHost: app\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n"
)
BODY = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.jpg"\r\n\r\n'
UNREAD = b"GET /health HTTP/1.1\r\nHost: app\r\nContent-Length: 1000\r\n\r\n"
WHOLE = b"GET /health HTTP/1.1\r\nHost: app\r\n\r\n"


async def everything(port: int, sent: bytes) -> bytes:
    """Send bytes, and return the answer up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


def error_type(answer: bytes) -> str:
    """Return the error_type of the only answer in these bytes, which closes its connection."""
    header, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in header.lower()
    assert b"content-length: %d" % len(body) in header
    return str(json.loads(body)["error_type"])


async def test_silent() -> None:
    """A connection that sends nothing is closed without an answer."""
    async with listening_app(FakeModel(), receive_timeout=RECEIVE_TIMEOUT) as app:
        assert await everything(app.port, b"") == b""


@pytest.mark.parametrize("sent", [HEADER[:20], HEADER[:-2], HEADER, HEADER + BODY])
async def test_half_a_request(sent: bytes) -> None:
    """A request that stops in its header or its body gets a 408 and is closed."""
    async with listening_app(FakeModel(), receive_timeout=RECEIVE_TIMEOUT) as app:
        answer = await everything(app.port, sent)

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert error_type(answer) == "request_timeout"
        assert app.resources["admission"].in_flight == 0


@pytest.mark.parametrize("sent", [UNREAD, UNREAD + b"x"])
async def test_answered_before_the_end(sent: bytes) -> None:
    """A connection that is answered before its request has ended is closed at the deadline too."""
    async with listening_app(FakeModel(), receive_timeout=RECEIVE_TIMEOUT) as app:
        answer = await everything(app.port, sent)

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("sent", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nX"])
async def test_endless_header(sent: bytes) -> None:
    """A header that does not end is refused at its limit, and a long header below it is not."""
    async with listening_app(FakeModel()) as app:
        answer = await everything(app.port, sent + b"x" * MAX_HEADER)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert error_type(answer) == "header_too_large"

        good = b"GET /health HTTP/1.1\r\nConnection: close\r\nX: " + b"x" * (MAX_HEADER // 2)
        answer = await everything(app.port, good + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_endless_trailer() -> None:
    """A trailer that does not end is cut off at the header's limit, without an answer."""
    header = HEADER.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked")
    async with listening_app(FakeModel()) as app:
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(header + b"1\r\n-\r\n0\r\nX: ")
        await until(lambda: app.resources["admission"].in_flight == 1)

        writer.write(b"x" * (MAX_HEADER + 1))

        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_second_request_of_a_connection() -> None:
    """The deadline holds for every request of a connection, not only for the first."""
    async with listening_app(FakeModel(), receive_timeout=RECEIVE_TIMEOUT) as app:
        answer = await everything(app.port, WHOLE + HEADER[:-2])

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in answer


async def test_inference_may_take_longer() -> None:
    """The deadline bounds sending only, so that a caption that takes longer is answered."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with (
        listening_app(captioner, receive_timeout=RECEIVE_TIMEOUT) as app,
        httpx.AsyncClient(timeout=30) as client,
    ):
        caption = asyncio.create_task(
            client.post(f"{app.url}/caption", files={"image": b"picture"})
        )
        assert await everything(app.port, b"") == b""
        assert await everything(app.port, b"") == b""

        captioner.gate.set()

        assert (await caption).status_code == 200


async def test_many_trickling() -> None:
    """Clients that trickle bytes are closed at the deadline, and others are served meanwhile."""
    async with (
        listening_app(FakeModel(), receive_timeout=2.0, max_in_flight=64) as app,
        httpx.AsyncClient(timeout=30) as client,
    ):

        async def trickle(beginning: bytes) -> None:
            """Send until the server ends it, with an answer or, after a late byte, with a reset."""
            reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
            writer.write(beginning)
            answer = asyncio.create_task(reader.read())
            while not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0.1)
            writer.close()
            with suppress(ConnectionResetError):
                assert error_type(await answer) == "request_timeout"

        trickling = [
            asyncio.create_task(trickle(beginning))
            for beginning in [HEADER[:-2], HEADER + BODY] * 25
        ]
        await until(lambda: app.resources["admission"].in_flight == 25)
        served = await client.post(f"{app.url}/caption", files={"image": b"picture"})
        assert served.status_code == 200
        async with asyncio.timeout(30):
            await asyncio.gather(*trickling)

        assert app.resources["admission"].in_flight == 0


@pytest.mark.parametrize("sent", [HEADER, HEADER + BODY])
async def test_slowest_client_is_evicted(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full server evicts the slowest client to admit a request."""
    monkeypatch.setattr("server.http.slow_clients.GRACE", 0.0)
    monkeypatch.setattr("server.http.slow_clients.MIN_BYTES_PER_SECOND", float("inf"))
    async with (
        listening_app(FakeModel(), max_in_flight=2) as app,
        httpx.AsyncClient(timeout=30) as client,
    ):
        slow = [asyncio.create_task(everything(app.port, sent)) for _ in range(2)]
        await until(lambda: app.resources["admission"].in_flight == 2)

        served = await client.post(f"{app.url}/caption", files={"image": b"picture"})
        assert served.status_code == 200

        (gone,), (waiting,) = await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        answer = gone.result()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer.lower()
        assert error_type(answer) == "sent_too_slowly"
        assert app.resources["admission"].in_flight == 1
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_no_slow_client_to_evict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has only begun to send is not evicted, and the next request is refused."""
    monkeypatch.setattr("server.http.slow_clients.GRACE", 60.0)
    async with (
        listening_app(FakeModel(), max_in_flight=1) as app,
        httpx.AsyncClient(timeout=30) as client,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", app.port)
        writer.write(HEADER + BODY)
        await until(lambda: app.resources["admission"].in_flight == 1)

        refused = await client.post(f"{app.url}/caption", files={"image": b"picture"})

        assert refused.json()["error_type"] == "overloaded"
        assert app.resources["admission"].in_flight == 1
        writer.close()
        await writer.wait_closed()
        await until(lambda: app.resources["admission"].in_flight == 0)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_no_http(sent: bytes) -> None:
    """Bytes that are not HTTP get a 400 in the shape of every other error."""
    async with listening_app(FakeModel()) as app:
        answer = await everything(app.port, sent)

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert error_type(answer) == "malformed_request"


async def test_refused_bytes_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A refusal of bytes that were no request is counted, and logged under its request id."""
    caplog.set_level("INFO")
    async with listening_app(FakeModel(), receive_timeout=RECEIVE_TIMEOUT) as app:
        answer = await everything(app.port, b"GET\r\n\r\n")
        await everything(app.port, HEADER[:-2])

        counted = app.resources["metrics"].registry.get_sample_value
        for status, error in (("400", "malformed_request"), ("408", "request_timeout")):
            labels = {"status": status, "error_type": error, "surface": ""}
            assert counted("caption_requests_total", labels) == 1
    found = re.search(rb"x-request-id: (\w+)\r\n", answer)
    assert found
    assert f"- - 400 - 0.0 {found[1].decode()}" in caplog.text
