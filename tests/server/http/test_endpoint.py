"""The one entrance: no surface can skip it, and each surface has its own shapes."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive

import server.app
from server.errors import MissingField, Refusal
from server.http.body import body_chunks
from server.http.endpoint import Endpoint, Parsed, Surface, route
from server.http.routes.captions import BatchEndpoint
from server.http.state import State
from server.inference.request import CaptionRequest, CaptionResult
from tests.server.fakes import FakeModel
from tests.server.serving import App, acquired, all_waiting, app, listening_app

pytestmark = pytest.mark.anyio

#: Every route that does not caption. Whatever is not listed here has to go through the endpoint.
NOT_CAPTIONING = {
    "/",
    "/api/modules",
    "/api/ps",
    "/api/pull",
    "/api/show",
    "/api/tags",
    "/api/version",
    "/caption/{digest}",
    "/docs",
    "/docs/{name}",
    "/health",
    "/health/live",
    "/health/ready",
    "/info",
    "/metrics",
    "/openapi.json",
    "/page/{name}",
    "/sdapi/v1/options",
    "/sdapi/v1/scripts",
    "/v1/models",
    "/v1/models/{name:path}",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/{model}",
    "/v2/models/{model}/ready",
    "/v2/models/{model}/versions/{version}",
    "/v2/models/{model}/versions/{version}/ready",
}

CAPTIONING = [
    each
    for each in server.app.ROUTES
    # A path may have a page besides: GET / answers browsers.
    if each.path not in NOT_CAPTIONING or isinstance(each.app, Endpoint)
]


async def parse(request: Request[State], receive: Receive) -> Parsed[str]:
    """Read one picture a line; "none" asks for no caption."""
    body = b"".join([chunk async for chunk in body_chunks(request.headers, receive, 1000)])
    if not body:
        raise MissingField("There is no line.")
    pictures = () if body == b"none" else body.split(b"\n")
    return Parsed([CaptionRequest.of(each) for each in pictures], "lines")


def render(
    request: Request[State], parsed: Parsed[str], results: Sequence[CaptionResult]
) -> JSONResponse:
    return JSONResponse({parsed.details: [each.caption.text for each in results]})


def render_error(refusal: Refusal) -> Response:
    return JSONResponse({"fault": refusal.status.error_type}, refusal.status.code)


LINES = Surface("lines", parse, render, render_error)


@asynccontextmanager
async def lines(
    monkeypatch: pytest.MonkeyPatch, captioner: FakeModel | None = None, **options: object
) -> AsyncIterator[App]:
    """Run the app with one more surface, at /lines."""
    monkeypatch.setattr(server.app, "ROUTES", (*server.app.ROUTES, route("/lines", LINES)))
    async with app(captioner, **options) as served:
        yield served


def test_some_route_captions() -> None:
    """The list of routes that do not caption names existing routes, and leaves some."""
    assert {each.path for each in server.app.ROUTES} > NOT_CAPTIONING
    assert CAPTIONING


@pytest.mark.parametrize("each", CAPTIONING, ids=lambda each: each.path)
def test_every_captioning_route_is_an_endpoint(each: Route) -> None:
    """A route that is not listed as one without captions is handled by the endpoint."""
    assert isinstance(each.app, Endpoint | BatchEndpoint)


@pytest.mark.parametrize("path", [each.path for each in CAPTIONING])
async def test_every_captioning_route_authenticates(path: str) -> None:
    """With API keys, a captioning route answers a request without a key by 401."""
    async with app(api_key=("key",)) as served:
        answer = await served.client.post(path, files={"image": b"picture"})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert served.captioner.inferences == 0


@pytest.mark.parametrize("path", [each.path for each in CAPTIONING])
async def test_every_captioning_route_is_admitted(path: str) -> None:
    """A captioning route answers 503 while the server is full, and while it drains."""
    async with app(max_in_flight=1) as served:
        with served.resources["admission"].admit():
            full = await served.client.post(path, files={"image": b"picture"})
        served.resources["admission"].drain()
        drains = await served.client.post(path, files={"image": b"picture"})

        assert (full.status_code, drains.status_code) == (503, 503)
        assert full.headers["retry-after"] == drains.headers["retry-after"] == "1"
        assert served.captioner.inferences == 0


async def test_surface_parses_and_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A surface answers in its own shape, for no picture, one or several, in their order."""
    async with lines(monkeypatch) as served:
        for body, captions in (
            (b"none", []),
            (b"a", ["1 bytes"]),
            (b"abc\na", ["3 bytes", "1 bytes"]),
        ):
            answer = await served.client.post("/lines", content=body)

            assert (answer.status_code, answer.json()) == (200, {"lines": captions})
            assert answer.headers.get("x-cache", "") == ", ".join(["MISS"] * len(captions))


async def test_surfaces_share_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal requests through two surfaces are one inference."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with lines(monkeypatch, captioner) as served:
        requests = [
            asyncio.create_task(served.caption(b"same")),
            asyncio.create_task(served.client.post("/lines", content=b"same")),
        ]
        await all_waiting(served.resources, 2)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)

        assert sorted(each.headers["x-cache"] for each in answers) == ["COALESCED", "MISS"]
        assert captioner.inferences == 1


async def test_refresh_on_every_surface(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache-Control: no-cache asks for a fresh caption on every surface."""
    async with lines(monkeypatch) as served:
        headers = {"cache-control": "no-cache"}
        answer = await served.client.post("/lines", content=b"a\nb", headers=headers)

        assert answer.headers["x-cache"] == "BYPASS, BYPASS"


@pytest.mark.parametrize(
    ("body", "status", "error_type"),
    [
        (b"", 400, "missing_field"),
        (b"x" * 2000, 413, "body_too_large"),
        (b"cut", 422, "undecodable_image"),
        (b"defect", 500, "internal_error"),
    ],
)
async def test_errors_in_the_surface_s_shape(
    body: bytes, status: int, error_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong behind a surface's route is answered in its own shape, defects too."""
    async with lines(monkeypatch) as served:
        answer = await served.client.post("/lines", content=body)

        assert (answer.status_code, answer.json()) == (status, {"fault": error_type})


async def test_refusals_in_the_surface_s_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """401 and 503 have the surface's shape, and the headers that the errors demand."""
    async with lines(monkeypatch, api_key=("key",), max_in_flight=1) as served:
        refused = await served.client.post("/lines", content=b"a")
        assert (refused.status_code, refused.json()) == (401, {"fault": "unauthorized"})
        assert refused.headers["www-authenticate"] == "Bearer"

        with served.resources["admission"].admit():
            headers = {"authorization": "Bearer key"}
            full = await served.client.post("/lines", content=b"a", headers=headers)
        assert (full.status_code, full.json()) == (503, {"fault": "overloaded"})
        assert full.headers["retry-after"] == "1"


async def test_cut_off_in_the_surface_s_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is cut off at the end of a shutdown is answered in the surface's shape."""
    monkeypatch.setattr(server.app, "ROUTES", (*server.app.ROUTES, route("/lines", LINES)))
    captioner = FakeModel()
    captioner.gate.clear()
    async with (
        listening_app(captioner, shutdown_timeout=1) as served,
        httpx.AsyncClient(timeout=30) as client,
    ):
        request = asyncio.create_task(client.post(f"{served.url}/lines", content=b"a"))
        await acquired(captioner.started)
        served.server.handle_exit(signal.SIGTERM, None)

        answer = await request
        assert (answer.status_code, answer.json()) == (503, {"fault": "draining"})
        assert answer.headers["retry-after"] == "1"


async def test_surface_in_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are counted by surface, refused ones too."""
    async with lines(monkeypatch) as served:
        await served.client.post("/lines", content=b"a")
        await served.client.post("/lines", content=b"cut")
        await served.caption()

        counted = served.resources["metrics"].registry.get_sample_value
        for surface, status, error_type in (
            ("lines", "200", ""),
            ("lines", "422", "undecodable_image"),
            ("caption", "200", ""),
        ):
            labels = {"surface": surface, "status": status, "error_type": error_type}
            assert counted("caption_requests_total", labels) == 1
