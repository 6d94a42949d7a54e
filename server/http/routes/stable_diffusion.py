"""The interrogate call of Stable Diffusion's web UI, and SillyTavern Extras' caption module."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive

from server.errors import MissingField, Refusal, UnsupportedDemand
from server.http.endpoint import Parsed, Surface, guarded, route, texts
from server.http.json_bodies import read_json
from server.http.pictures import picture_of
from server.http.state import State
from server.inference.request import CaptionRequest, CaptionResult

#: Interrogators that answer in Danbooru's tags instead of a caption.
TAGGERS = ("deepdanbooru", "deepbooru")


class Body(msgspec.Struct):
    """`model` is the web UI's interrogator: clip, or a tagger."""

    image: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    model: str | None = None


async def parse(request: Request[State], receive: Receive) -> Parsed[None]:
    asked = await read_json(request, receive, Body)
    if asked.image is msgspec.UNSET:
        raise MissingField("The member 'image' is missing; it takes the picture as base64.")
    if (asked.model or "").lower() in TAGGERS:
        raise UnsupportedDemand(
            f"The interrogator {asked.model!r:.40} gives tags; use clip, which gives captions."
        )
    picture = picture_of(asked.image, "image", request.state["form_limits"].body)
    return Parsed((CaptionRequest.of((picture.content,), image_digest=picture.digest),), None)


def render(
    request: Request[State], parsed: Parsed[None], results: Sequence[CaptionResult]
) -> JSONResponse:
    (text,) = texts(request, parsed, results)
    return JSONResponse({"caption": text})


def render_error(refusal: Refusal) -> JSONResponse:
    """Render FastAPI's shape, which the web UI answers with, and the Extras' `error`."""
    return JSONResponse(
        {"error": refusal.status.error_type, "detail": refusal.message}, refusal.status.code
    )


async def no_options(request: Request[State]) -> JSONResponse:
    """Answer the web UI's probes: a server without settings, scripts or samplers."""
    return JSONResponse({})


async def modules(request: Request[State]) -> JSONResponse:
    return JSONResponse({"modules": ["caption"]})


WEB_UI = Surface("stable_diffusion", parse, render, render_error)
EXTRAS = Surface("sillytavern", parse, render, render_error)

routes = [
    route("/sdapi/v1/interrogate", WEB_UI),
    Route("/sdapi/v1/options", guarded(WEB_UI, no_options), methods=["GET"]),
    Route("/sdapi/v1/scripts", guarded(WEB_UI, no_options), methods=["GET"]),
    route("/api/caption", EXTRAS),
    Route("/api/modules", guarded(EXTRAS, modules), methods=["GET"]),
]
