"""GET /health/*: probes for load balancers and Kubernetes. They never depend on Redis."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.http.state import State


async def live(request: Request[State]) -> JSONResponse:
    request.state["readiness"].require_live()
    return JSONResponse({"status": "live"})


async def ready(request: Request[State]) -> JSONResponse:
    """Report readiness. The server only listens once its model is loaded and warm."""
    request.state["readiness"].require_ready()
    return JSONResponse({"status": "ready"})


routes = [
    Route("/health/live", live),
    Route("/health/ready", ready),
    Route("/health", ready, name="health"),
]
