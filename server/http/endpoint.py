"""The one entrance of every surface that captions.

A request is authenticated, admitted, read, captioned and rendered, in this order. A surface is one
dialect of the API. It parses a request and renders captions and errors; everything between, and
the request's trace and metrics, is the endpoint's part.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from server.errors import TooManyPictures
from server.http.disconnect import while_connected
from server.http.responses import RenderError, render_error
from server.http.state import State
from server.inference.rendering import Rendering
from server.inference.request import CaptionRequest, CaptionResult

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[D]):
    """What a request asks for: one caption request a picture, perhaps none.

    `details` is whatever else the surface needs to render its answer, such as the model's name to
    repeat or whether to stream. `rendering` is how the client wants the texts.
    """

    captions: Sequence[CaptionRequest]
    details: D
    rendering: Rendering = field(default_factory=Rendering)


Parse: TypeAlias = Callable[[Request[State], Receive], Awaitable[Parsed[D]]]


class Dialect(Protocol[D]):
    """What every surface has, whichever way it answers; `name` is its label in the metrics.

    `parse` reads the body through the callable that it gets, which bounds the time of reading. It
    raises RequestError or CaptioningError. `render_error` renders every refusal, also 500 and 503.
    Headers that the error demands, such as Retry-After, are added to its response.
    """

    @property
    def name(self) -> str: ...
    @property
    def parse(self) -> Parse[D]: ...
    @property
    def render_error(self) -> RenderError: ...


@dataclass(frozen=True, slots=True)
class Surface(Generic[D]):
    """A dialect that answers once all captions are done.

    `render` gets the results in the order of `Parsed.captions`.
    """

    name: str
    parse: Parse[D]
    render: Callable[[Request[State], Parsed[D], Sequence[CaptionResult]], Response]
    render_error: RenderError = render_error


class Endpoint(Generic[D]):
    """The ASGI application behind the routes of one surface."""

    def __init__(self, surface: Surface[D]) -> None:
        self.surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request[State]) -> Response:
        state = request.state
        enter(request, self.surface)
        with state["admission"].admit():
            parsed = await read(request, self.surface)
            results = []
            for each in parsed.captions:
                watch = partial(while_connected, request.receive)
                result = await state["service"].caption(each, watch)
                state["trace"].add(result)
                results.append(result)
        return self.surface.render(request, parsed, results)


def enter(request: Request[State], surface: Dialect[D]) -> None:
    """Note the request's surface, and authenticate it. Raises Unauthorized."""
    trace = request.state["trace"]
    trace.surface, trace.render_error = surface.name, surface.render_error
    request.state["api_keys"].require(request.headers)


async def read(request: Request[State], dialect: Dialect[D]) -> Parsed[D]:
    """Read and parse the body of an admitted request. Raises RequestError, CaptioningError."""
    state = request.state
    with state["trace"].phase("read"):
        async with state["admission"].slow_clients.reading(request.receive) as receive:
            parsed = await dialect.parse(request, receive)
    most = state["max_batch_images"]
    if len(parsed.captions) > most:
        raise TooManyPictures(
            f"The request has {len(parsed.captions)} pictures and may have {most}; send them "
            "in several requests."
        )
    if "no-cache" in request.headers.get("cache-control", "").lower():
        refreshed = [replace(each, refresh=True) for each in parsed.captions]
        parsed = replace(parsed, captions=refreshed)
    return parsed


def route(path: str, surface: Surface[D]) -> Route:
    """Build the route of a surface: POST requests to `path`."""
    return Route(path, Endpoint(surface), methods=["POST"], name=surface.name)


def texts(
    request: Request[State], parsed: Parsed[D], results: Sequence[CaptionResult]
) -> list[str]:
    """Return the texts of the captions as the client wants them, in the order of its pictures."""
    service = request.state["service"]
    return [
        service.render(asked, result.caption, parsed.rendering)
        for asked, result in zip(parsed.captions, results, strict=True)
    ]


Handler = Callable[[Request[State]], Awaitable[Response]]


def guarded(surface: Dialect[D], handler: Handler) -> Handler:
    """Wrap a handler of a surface that captions nothing, such as a listing of models.

    It needs an API key like the surface's captions, and its errors have the surface's shape.
    """

    async def answer(request: Request[State]) -> Response:
        enter(request, surface)
        return await handler(request)

    return answer
