"""POST /caption: a picture in a form, its caption in JSON."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive

from server.http.endpoint import Parsed, Surface, route, texts
from server.http.etag import CACHE_CONTROL, etag_of
from server.http.forms import read_caption_form
from server.http.state import State
from server.inference.rendering import Rendering
from server.inference.request import CaptionResult


async def parse(request: Request[State], receive: Receive) -> Parsed[None]:
    limits = request.state["form_limits"]
    asked, rendering = await read_caption_form(request.headers, receive, limits)
    return Parsed((asked,), None, rendering)


def render(
    request: Request[State], parsed: Parsed[None], results: Sequence[CaptionResult]
) -> JSONResponse:
    (result,), (text,) = results, texts(request, parsed, results)
    return caption_response(request, text, result, parsed.rendering)


def caption_response(
    request: Request[State], text: str, result: CaptionResult, rendering: Rendering
) -> JSONResponse:
    """Render one caption in the server's own dialect."""
    return JSONResponse(
        {
            "caption": text,
            "cached": result.cache == "HIT",
            "model": request.state["model_name"],
            "confidence": result.caption.confidence,
        },
        headers={"ETag": etag_of(result.key, rendering), "Cache-Control": CACHE_CONTROL},
    )


SURFACE = Surface("caption", parse, render)

routes = [route("/caption", SURFACE)]
