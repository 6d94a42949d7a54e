"""Hugging Face's image-to-text task: POST / and /predict, as InferenceClient calls them.

The body is the picture itself, or JSON with the picture as base64 in `inputs`. The answer is a list
with one object (https://huggingface.co/docs/huggingface_hub/package_reference/inference_client).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive

from server.errors import MissingField, Refusal
from server.http.endpoint import Parsed, Surface, route, texts
from server.http.json_bodies import json_limit, parse_body, read_body
from server.http.json_options import generation_options, rendering
from server.http.pictures import picture_of, require_size
from server.http.state import State
from server.inference.request import CaptionRequest, CaptionResult


class Body(msgspec.Struct):
    """`parameters` holds generation options, or has them in one of NESTED."""

    inputs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


#: The names under which the task's specification and transformers' pipelines nest options.
NESTED = ("generation_parameters", "generate_kwargs")


async def parse(request: Request[State], receive: Receive) -> Parsed[None]:
    """Read a picture, or JSON: no picture format begins with a brace."""
    max_picture = request.state["form_limits"].body
    body = await read_body(request, receive, json_limit(max_picture))
    if body[:64].lstrip().startswith(b"{"):
        return _parse_json(body, max_picture)
    if not body:
        raise MissingField("The body is empty; it has to be the picture's file, or JSON.")
    require_size(len(body), max_picture)
    return Parsed((CaptionRequest.of(body),), None)


def _parse_json(body: bytes, max_picture: int) -> Parsed[None]:
    asked = parse_body(body, Body)
    if asked.inputs is msgspec.UNSET:
        raise MissingField("The member 'inputs' is missing; it takes the picture as base64.")
    picture = picture_of(asked.inputs, "inputs", max_picture)
    options = dict(asked.parameters or {})
    for name in NESTED:
        if isinstance(options.get(name), dict):
            options |= options[name]
    prompt = options.get("prompt")
    caption = CaptionRequest.of(
        (picture.content,),
        prompt if isinstance(prompt, str) else None,
        generation_options(options),
        image_digest=picture.digest,
    )
    return Parsed((caption,), None, rendering(options))


def render(
    request: Request[State], parsed: Parsed[None], results: Sequence[CaptionResult]
) -> JSONResponse:
    return JSONResponse([{"generated_text": each} for each in texts(request, parsed, results)])


def render_error(refusal: Refusal) -> JSONResponse:
    return JSONResponse({"error": refusal.message}, refusal.status.code)


SURFACE = Surface("huggingface", parse, render, render_error)

routes = [route("/", SURFACE), route("/predict", SURFACE)]
