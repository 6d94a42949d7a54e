"""GET /docs: interactive documentation of the API, by Swagger UI from the package that ships it."""

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from swagger_ui_bundle import swagger_ui_path

from server.errors import NotFound
from server.http.assets import Asset, read_assets
from server.http.state import State

FOLDER = Path(__file__).parents[1] / "docs"
DOCUMENT = "docs.html"

#: Swagger UI sets styles in attributes, and has its icons in data URLs.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def read_docs() -> Mapping[str, Asset]:
    """Read the page and Swagger UI's files, by name. Raises OSError."""
    return {
        **read_assets(FOLDER, (DOCUMENT, "docs.js")),
        **read_assets(swagger_ui_path, ("swagger-ui.css", "swagger-ui-bundle.js")),
    }


async def docs(request: Request[State]) -> Response:
    return request.state["docs"][DOCUMENT].response(request.headers, POLICY)


async def asset(request: Request[State]) -> Response:
    """Serve a file that the document names. Raises NotFound."""
    found = request.state["docs"].get(request.path_params["name"])
    if found is None:
        raise NotFound("The documentation has no such file.")
    return found.response(request.headers, POLICY)


routes = [
    Route("/docs", docs, methods=["GET"], name="docs"),
    Route("/docs/{name}", asset, methods=["GET"], include_in_schema=False),
]
