"""KServe's Open Inference Protocol v2: a model with the inputs image and prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive

import server
from server.errors import InvalidField, MissingField, Refusal
from server.http.endpoint import Parsed, Surface, guarded, route, texts
from server.http.json_bodies import json_limit, read_body, to_json
from server.http.json_options import generation_options, rendering
from server.http.routes.kserve_types import HEADER_LENGTH, Body, Input, read_inputs, write_bytes
from server.http.state import State
from server.inference.request import CaptionRequest, CaptionResult

_INPUTS = ("image", "prompt")
_OUTPUT = "caption"


@dataclass(frozen=True, slots=True)
class Inference:
    """What an answer needs of its request."""

    id: str | None
    model: str
    shape: Sequence[int]
    is_binary: bool


async def parse(request: Request[State], receive: Receive) -> Parsed[Inference]:
    max_picture = request.state["form_limits"].body
    body = await read_body(request, receive, json_limit(max_picture))
    asked, inputs = read_inputs(body, request.headers.get(HEADER_LENGTH))
    if unknown := [name for name in inputs if name not in _INPUTS]:
        raise InvalidField(
            f"There is no input {unknown[0]!r:.60}; the inputs are image and prompt."
        )
    image = inputs.get("image")
    if image is None:
        raise MissingField("The input 'image' is missing; it takes the bytes of picture files.")
    prompts = _prompts(inputs.get("prompt"), len(image.values))
    search = generation_options(asked.parameters)
    pictures = [image.picture(index, max_picture) for index in range(len(image.values))]
    captions = [
        CaptionRequest.of((each.content,), prompt, search, image_digest=each.digest)
        for each, prompt in zip(pictures, prompts, strict=True)
    ]
    inference = Inference(asked.id, request.path_params["model"], image.shape, _wants_binary(asked))
    return Parsed(captions, inference, rendering(asked.parameters))


def _prompts(prompt: Input | None, count: int) -> list[str | None]:
    """Return a prompt for each picture: its own, the only one for all, or none."""
    if prompt is None:
        return [None] * count
    given: list[str | None] = [prompt.text(index) for index in range(len(prompt.values))]
    if len(given) not in (1, count):
        raise InvalidField(f"There are {len(given)} prompts for {count} pictures; send one.")
    return given * count if len(given) == 1 else given


def _wants_binary(asked: Body) -> bool:
    """Return whether the output goes after the JSON. Raises InvalidField for an unknown output."""
    for output in asked.outputs:
        if output.name != _OUTPUT:
            raise InvalidField(f"There is no output {output.name!r:.60}; there is 'caption'.")
        return output.parameters.get("binary_data") is True
    return asked.parameters.get("binary_data_output") is True


def render(
    request: Request[State], parsed: Parsed[Inference], results: Sequence[CaptionResult]
) -> Response:
    inference, captions = parsed.details, texts(request, parsed, results)
    tensor: dict[str, object] = {"name": _OUTPUT, "datatype": "BYTES", "shape": inference.shape}
    answer: dict[str, object] = {"model_name": inference.model, "model_version": "1"}
    if inference.id is not None:
        answer["id"] = inference.id
    if not inference.is_binary:
        return JSONResponse({**answer, "outputs": [{**tensor, "data": captions}]})
    binary = write_bytes(captions)
    tensor["parameters"] = {"binary_data_size": len(binary)}
    head = to_json({**answer, "outputs": [tensor]})
    return Response(
        head + binary,
        media_type="application/octet-stream",
        headers={HEADER_LENGTH: str(len(head))},
    )


def render_error(refusal: Refusal) -> JSONResponse:
    return JSONResponse({"error": refusal.message}, refusal.status.code)


async def describe_server(request: Request[State]) -> JSONResponse:
    extensions = ["binary_tensor_data"]
    return JSONResponse(
        {"name": "caption-server", "version": server.__version__, "extensions": extensions}
    )


async def describe_model(request: Request[State]) -> JSONResponse:
    def tensor(name: str) -> Mapping[str, object]:
        return {"name": name, "datatype": "BYTES", "shape": [-1]}

    return JSONResponse(
        {
            "name": request.path_params["model"],
            "versions": ["1"],
            "platform": "onnxruntime_onnx",
            "inputs": [tensor(name) for name in _INPUTS],
            "outputs": [tensor(_OUTPUT)],
        }
    )


async def live(request: Request[State]) -> JSONResponse:
    request.state["readiness"].require_live()
    return JSONResponse({"live": True})


async def ready(request: Request[State]) -> JSONResponse:
    request.state["readiness"].require_ready()
    return JSONResponse({"ready": True})


SURFACE = Surface("kserve", parse, render, render_error)
_MODELS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")

routes = [
    Route("/v2", guarded(SURFACE, describe_server), methods=["GET"]),
    Route("/v2/health/live", live, name="kserve_live"),
    Route("/v2/health/ready", ready, name="kserve_ready"),
    *(route(f"{path}/infer", SURFACE) for path in _MODELS),
    *(Route(f"{path}/ready", ready, name="kserve_model_ready") for path in _MODELS),
    *(Route(path, guarded(SURFACE, describe_model), methods=["GET"]) for path in _MODELS),
]
