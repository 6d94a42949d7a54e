"""GET /openapi.json: the API in OpenAPI 3.1."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from server.http.state import State


async def openapi(request: Request[State]) -> JSONResponse:
    return JSONResponse(request.state["openapi"])


routes = [Route("/openapi.json", openapi)]
