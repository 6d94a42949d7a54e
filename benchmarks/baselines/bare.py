"""The floor of any Starlette server: a route that reads the upload and does nothing with it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def read(request: Request) -> JSONResponse:
    async for _ in request.stream():
        pass
    return JSONResponse({"caption": "", "cached": False})


app = Starlette(routes=[Route("/caption", read, methods=["POST"])])
