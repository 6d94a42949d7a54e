"""Every error status of a running server, compared with the document that it serves itself.

Each error_type is provoked over a real socket, by raw bytes where a client library would not send
them. Its answer has to be described by /openapi.json under the operation that was asked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from server.http.uvicorn_protocol import MAX_HEADER
from tests.server.fakes import FakeModel
from tests.server.http.hanging import HangingModel
from tests.server.http.test_slow_clients import BODY, HEADER, everything
from tests.server.serving import ListeningApp, acquired, listening_app, until

pytestmark = pytest.mark.anyio

POST = ("/caption", "post")
BATCH = ("/captions", "post")
LOOKUP = ("/caption/{digest}", "get")
LOOKUP_PATH = f"/caption/{'0' * 64}"
READY = ("/health/ready", "get")

Described = set[tuple[int, str]]


@dataclass(frozen=True)
class Served:
    """A listening server, its client, and its captioner."""

    app: ListeningApp
    client: httpx.AsyncClient
    captioner: FakeModel

    async def upload(self, image: bytes, **text: str) -> httpx.Response:
        return await self.client.post("/caption", files={"image": image}, data=text)

    async def raw(self, sent: bytes) -> httpx.Response:
        """Send bytes, and parse whatever comes back until the server closes the connection."""
        answer = await everything(self.app.port, sent)
        head, _, body = answer.partition(b"\r\n\r\n")
        return httpx.Response(int(head.split(b" ")[1]), content=body)

    async def described(self, operation: tuple[str, str] | None) -> Described:
        """Read the errors of an operation from /openapi.json; without one, of all components."""
        document: Any = (await self.client.get("/openapi.json")).json()
        if operation is None:
            responses = document["components"]["responses"]
        else:
            path, method = operation
            responses = document["paths"][path][method]["responses"]
        return {
            (int(code), error_type)
            for code, response in responses.items()
            if int(code) >= 400
            for error_type in response["content"]["application/json"]["schema"]["properties"][
                "error_type"
            ]["enum"]
        }


@dataclass(frozen=True)
class Case:
    """How an error_type is provoked: the server's options, the request, and the operation.

    The operation is None where the document has none: unknown paths and methods.
    """

    status: int
    provoke: Callable[[Served], Awaitable[httpx.Response]]
    operation: tuple[str, str] | None = POST
    options: dict[str, Any] = field(default_factory=dict)
    captioner: type[FakeModel] = FakeModel


def upload(status: int, image: bytes = b"x", **text: str) -> Case:
    return Case(status, lambda served: served.upload(image, **text), options={"max_body_mb": 1})


def raw(status: int, sent: bytes, operation: tuple[str, str] | None = POST) -> Case:
    """Close the connection soon, so that the answer ends."""
    return Case(
        status, lambda served: served.raw(sent), operation, options={"receive_timeout": 0.3}
    )


def get(status: int, path: str) -> Case:
    return Case(status, lambda served: served.client.get(path), operation=None)


async def charset(served: Served) -> httpx.Response:
    headers = {"content-type": "multipart/form-data; boundary=b; charset=utf-7"}
    return await served.client.post("/caption", content=b"--b--\r\n", headers=headers)


async def compressed(served: Served) -> httpx.Response:
    headers = {"content-type": "multipart/form-data; boundary=b", "content-encoding": "gzip"}
    return await served.client.post("/caption", content=b"--b--\r\n", headers=headers)


async def many(served: Served) -> httpx.Response:
    return await served.client.post("/captions", files=[("image", b"x"), ("image", b"y")])


async def full_queue(served: Served) -> httpx.Response:
    served.captioner.gate.clear()
    first = asyncio.create_task(served.upload(b"first"))
    await acquired(served.captioner.started)
    answer = await served.upload(b"second")
    served.captioner.gate.set()
    await first
    return answer


async def evicted(served: Served) -> httpx.Response:
    slow = asyncio.create_task(served.raw(HEADER + BODY))
    await until(lambda: served.app.resources["admission"].in_flight == 1)
    await served.upload(b"x")
    return await slow


async def draining(served: Served) -> httpx.Response:
    served.app.resources["admission"].drain()
    return await served.upload(b"x")


async def not_ready(served: Served) -> httpx.Response:
    served.app.resources["admission"].drain()
    return await served.client.get("/health/ready")


async def stalled(served: Served) -> httpx.Response:
    assert isinstance(served.captioner, HangingModel)
    caption = asyncio.create_task(served.upload(b"x"))
    try:
        await acquired(served.captioner.hanging)
        async with asyncio.timeout(30):
            while (answer := await served.client.get("/health/ready")).status_code == 200:
                pass
        return answer
    finally:
        served.captioner.released.set()
        await caption


async def client_left(served: Served) -> httpx.Response:
    """Nobody receives this one: the answer is what the metrics count."""
    served.captioner.gate.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.app.port)
    writer.write(HEADER + BODY)
    await until(lambda: served.app.resources["admission"].in_flight == 1)
    writer.close()
    await until(lambda: served.app.resources["admission"].in_flight == 0)
    assert await reader.read() == b""
    counted = served.app.resources["metrics"].registry.get_sample_value
    labels = {"status": "499", "error_type": "client_left", "surface": "caption"}
    await until(lambda: counted("caption_requests_total", labels) == 1)
    return httpx.Response(499, json={"error": "-.", "error_type": "client_left"})


#: By error_type; several ways to one have a suffix after a blank.
CASES = {
    "malformed_request": raw(400, b"GET\r\n\r\n"),
    "malformed_body": Case(400, lambda served: served.client.post("/caption", json={})),
    "missing_field": upload(400, b""),
    "invalid_field": upload(400, num_beams="many"),
    "unauthorized": Case(401, lambda served: served.upload(b"x"), options={"api_key": ("key",)}),
    "not_found": get(404, "/pictures"),
    "not_cached": Case(404, lambda served: served.client.get(LOOKUP_PATH), LOOKUP),
    "method_not_allowed": get(405, "/caption"),
    "request_timeout in the header": raw(408, HEADER[:-2]),
    "request_timeout in the body": raw(408, HEADER + BODY),
    "body_too_large": upload(413, b"x" * 1_000_001),
    "image_too_large": upload(413, b"bomb"),
    "unsupported_charset": Case(415, charset),
    "unsupported_encoding": Case(415, compressed),
    "unsupported_image_format": upload(415, b"text"),
    "undecodable_image": upload(422, b"cut"),
    "prompt_too_long": upload(422, prompt="word " * 20),
    "field_too_long": upload(422, prompt="word " * 5000),
    "too_many_pictures": Case(422, many, BATCH, {"max_batch_images": 1}),
    "option_out_of_range": upload(422, num_beams="99"),
    "header_too_large": raw(431, b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEADER),
    "client_left": Case(499, client_left, operation=None),
    "internal_error": upload(500, b"defect"),
    "overloaded": Case(503, full_queue, options={"queue_size": 0, "batch_size": 1}),
    "sent_too_slowly": Case(503, evicted, options={"max_in_flight": 1}),
    "draining": Case(503, draining),
    "draining on /health/ready": Case(503, not_ready, READY),
    "stalled": Case(503, stalled, READY, {"stall_timeout": 0.02}, HangingModel),
}


@asynccontextmanager
async def serving(case: Case) -> AsyncIterator[Served]:
    captioner = case.captioner()
    async with (
        listening_app(captioner, **case.options) as app,
        httpx.AsyncClient(base_url=app.url, timeout=30) as client,
    ):
        yield Served(app, client, captioner)


@pytest.mark.parametrize("name", CASES)
async def test_answer_is_as_described(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provoked error has the status and error_type that the document describes."""
    if name == "sent_too_slowly":
        monkeypatch.setattr("server.http.slow_clients.GRACE", 0.0)
        monkeypatch.setattr("server.http.slow_clients.MIN_BYTES_PER_SECOND", float("inf"))
    case = CASES[name]
    async with serving(case) as served:
        answer = await case.provoke(served)
        error_type = name.partition(" ")[0]
        assert (answer.status_code, answer.json()["error_type"]) == (case.status, error_type)
        assert set(answer.json()) == {"error", "error_type"}
        assert answer.json()["error"].endswith(".")
        # A server that drains or is full still serves its document.
        assert (case.status, error_type) in await served.described(case.operation)


async def test_every_described_error_was_provoked() -> None:
    """The document describes no error that these tests do not provoke."""
    provoked = {(case.status, name.partition(" ")[0]) for name, case in CASES.items()}
    async with serving(Case(200, draining)) as served:
        assert await served.described(None) == provoked
        document = (await served.client.get("/openapi.json")).json()
        for path, item in document["paths"].items():
            for method in item:
                assert await served.described((path, method)) <= provoked


async def test_errors_by_operation() -> None:
    """An operation lists the errors that it can answer with, and no others."""
    everywhere = {
        (400, "malformed_request"),
        (408, "request_timeout"),
        (431, "header_too_large"),
        (500, "internal_error"),
        (503, "draining"),
    }
    async with serving(Case(200, draining)) as served:
        assert await served.described(("/info", "get")) == everywhere
        assert await served.described(READY) == everywhere | {(503, "stalled")}
        caption = await served.described(POST)
        every = await served.described(None)
    unrouted = {(404, "not_found"), (405, "method_not_allowed"), (499, "client_left")}
    elsewhere = {(503, "stalled"), (404, "not_cached"), (422, "too_many_pictures")}
    assert caption == every - unrouted - elsewhere
