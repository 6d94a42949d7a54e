"""GET /metrics for Prometheus. Admission control does not apply, so that overload shows."""

from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.http.state import State


async def metrics(request: Request[State]) -> Response:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    registry = request.state["metrics"].registry
    return Response(encode(registry), headers={"Content-Type": content_type})


routes = [Route("/metrics", metrics)]
