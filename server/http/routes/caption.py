"""POST /caption: a picture in a form, its caption in JSON."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive

from server.http.endpoint import Parsed, Surface, route
from server.http.forms import read_caption_form
from server.http.state import State
from server.inference.request import CaptionResult


async def parse(request: Request[State], receive: Receive) -> Parsed[None]:
    limits = request.state["form_limits"]
    return Parsed((await read_caption_form(request.headers, receive, limits),), None)


def render(
    request: Request[State], parsed: Parsed[None], results: Sequence[CaptionResult]
) -> JSONResponse:
    (result,) = results
    return JSONResponse(
        {
            "caption": result.caption.text,
            "cached": result.cache == "HIT",
            "model": request.state["model_name"],
            "confidence": result.caption.confidence,
        }
    )


routes = [route("/caption", Surface("caption", parse, render))]
