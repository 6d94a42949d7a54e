"""OpenAI's model listing: the served model under each of its names."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.http.endpoint import guarded
from server.http.routes.openai_chat import SURFACE
from server.http.state import State


async def models(request: Request[State]) -> JSONResponse:
    names = request.state["served_model"].names
    return JSONResponse({"object": "list", "data": [_entry(request, each) for each in names]})


async def model(request: Request[State]) -> JSONResponse:
    """Describe any name: requests may name any model, and the served one answers."""
    return JSONResponse(_entry(request, request.path_params["name"]))


def _entry(request: Request[State], name: str) -> dict[str, object]:
    created = int(request.state["served_model"].loaded_at.timestamp())
    return {"id": name, "object": "model", "created": created, "owned_by": "caption-server"}


routes = [
    Route("/v1/models", guarded(SURFACE, models), methods=["GET"]),
    Route("/v1/models/{name:path}", guarded(SURFACE, model), methods=["GET"]),
]
