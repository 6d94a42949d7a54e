"""GET /health/*: for whoever decides where requests go. Never limited, never dependent on Redis."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.http.state import State


async def live(request: Request[State]) -> JSONResponse:
    return JSONResponse({"status": "live"})


async def ready(request: Request[State]) -> JSONResponse:
    """The server only listens once its model is loaded and warm; what remains is draining."""
    if not request.state["admission"].ready:
        return JSONResponse({"status": "draining"}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


routes = [
    Route("/health/live", live),
    Route("/health/ready", ready),
    Route("/health", ready, name="health"),
]
