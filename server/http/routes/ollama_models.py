"""Ollama's calls about models: the served one, under each of its names."""

from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import server
from server.http.endpoint import Handler, guarded
from server.http.json_bodies import read_json, to_json
from server.http.routes.ollama import SURFACE
from server.http.state import State

#: Ollama itself gives models that stay loaded a time far ahead.
_NEVER = datetime(2318, 1, 1, tzinfo=UTC).isoformat()


class Pull(msgspec.Struct):
    stream: bool | None = None


async def tags(request: Request[State]) -> JSONResponse:
    return JSONResponse({"models": [_entry(request, each) for each in _names(request)]})


async def running(request: Request[State]) -> JSONResponse:
    more = {"expires_at": _NEVER, "size_vram": 0}
    return JSONResponse({"models": [{**_entry(request, each), **more} for each in _names(request)]})


async def show(request: Request[State]) -> JSONResponse:
    """Describe the model. Clients look for "vision" among its capabilities."""
    served = request.state["served_model"]
    return JSONResponse(
        {
            "modelfile": "",
            "parameters": "",
            "template": "",
            "details": _details(request),
            "model_info": {"general.architecture": "blip"},
            "capabilities": ["completion", "vision"],
            "modified_at": served.loaded_at.isoformat(),
        }
    )


async def pull(request: Request[State]) -> Response:
    """Answer as for a model that is here already: the server has one, and downloads none."""
    async with request.state["admission"].slow_clients.reading(request.receive) as receive:
        asked = await read_json(request, receive, Pull)
    success = {"status": "success"}
    if asked.stream is False:
        return JSONResponse(success)
    return Response(to_json(success) + b"\n", media_type="application/x-ndjson")


async def version(request: Request[State]) -> JSONResponse:
    return JSONResponse({"version": server.__version__})


def _names(request: Request[State]) -> tuple[str, ...]:
    return request.state["served_model"].names


def _entry(request: Request[State], name: str) -> dict[str, object]:
    served = request.state["served_model"]
    return {
        "name": name,
        "model": name,
        "modified_at": served.loaded_at.isoformat(),
        "size": served.size,
        "digest": served.digest,
        "details": _details(request),
    }


def _details(request: Request[State]) -> dict[str, object]:
    return {
        "parent_model": "",
        "format": "onnx",
        "family": "blip",
        "families": ["blip"],
        "parameter_size": "",
        "quantization_level": request.state["served_model"].precision,
    }


def _route(path: str, handler: Handler, method: str = "GET") -> Route:
    return Route(path, guarded(SURFACE, handler), methods=[method])


routes = [
    _route("/api/tags", tags),
    _route("/api/ps", running),
    _route("/api/version", version),
    _route("/api/show", show, "POST"),
    _route("/api/pull", pull, "POST"),
]
