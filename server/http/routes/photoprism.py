"""PhotoPrism's Vision API: POST /api/v1/vision/caption."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive

from server.errors import MissingField, Refusal
from server.http.chat import prompt_for
from server.http.endpoint import Parsed, Surface, route, texts
from server.http.json_bodies import read_json
from server.http.json_options import generation_options, rendering
from server.http.pictures import picture_of
from server.http.state import State
from server.inference.request import CaptionRequest, CaptionResult


class Body(msgspec.Struct):
    """`prompt` is an instruction for a chat model; `options` may hold generation options."""

    id: Any = None
    model: Any = None
    version: Any = None
    prompt: Any = None
    options: Any = None
    images: list[msgspec.Raw] | None = None
    url: Any = None


@dataclass(frozen=True, slots=True)
class Job:
    """What the answer repeats of a request."""

    id: str
    version: str


async def parse(request: Request[State], receive: Receive) -> Parsed[Job]:
    asked = await read_json(request, receive, Body)
    if not asked.images:
        raise MissingField(
            "The member 'images' is missing; set FileScheme to data, so that it has data URLs."
        )
    options = asked.options if isinstance(asked.options, dict) else {}
    instruction = asked.prompt if isinstance(asked.prompt, str) else None
    explicit = options.get("caption_prompt")
    prompt = prompt_for(
        request.state["chat_prompt"], instruction, explicit if isinstance(explicit, str) else None
    )
    # PhotoPrism sends several sizes of one picture at most, and reads one caption.
    picture = picture_of(asked.images[0], "images", request.state["form_limits"].body)
    caption = CaptionRequest.of(
        (picture.content,), prompt, generation_options(options), image_digest=picture.digest
    )
    job = Job(
        id=asked.id if isinstance(asked.id, str) and asked.id else str(uuid4()),
        version=asked.version if isinstance(asked.version, str) and asked.version else "latest",
    )
    return Parsed((caption,), job, rendering(options))


def render(
    request: Request[State], parsed: Parsed[Job], results: Sequence[CaptionResult]
) -> JSONResponse:
    (text,), (result,) = texts(request, parsed, results), results
    name = request.state["model_name"]
    return JSONResponse(
        {
            "id": parsed.details.id,
            "code": 200,
            "model": {"type": "caption", "name": name, "version": parsed.details.version},
            "result": {
                "caption": {
                    "text": text,
                    "source": "image",
                    "confidence": result.caption.confidence,
                }
            },
        }
    )


def render_error(refusal: Refusal) -> JSONResponse:
    code = refusal.status.code
    return JSONResponse({"id": "", "code": code, "error": refusal.message}, code)


SURFACE = Surface("photoprism", parse, render, render_error)

routes = [
    route("/api/v1/vision/caption", SURFACE),
    route("/api/v1/vision/caption/{model}", SURFACE),
    route("/api/v1/vision/caption/{model}/{version}", SURFACE),
]
