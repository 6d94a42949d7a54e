"""GET /: a page for browsers, and a status in JSON for every other client.

The page is plain HTML, CSS and JavaScript modules in `server/http/page/`. It needs no API key: it
asks for one as soon as the API does.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.errors import NotFound
from server.http.accept import prefers_html
from server.http.assets import Asset, read_assets
from server.http.state import State

FOLDER = Path(__file__).parents[1] / "page"

#: The page's document. The other files are its style sheet and its modules.
DOCUMENT = "page.html"

#: Scripts and styles come from the page's own files alone, and no text becomes HTML or a script.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


def read_page() -> dict[str, Asset]:
    """Read all files of the page, by name. Raises OSError."""
    return dict(read_assets(FOLDER, sorted(path.name for path in FOLDER.iterdir())))


async def root(request: Request[State]) -> Response:
    if prefers_html(request.headers.getlist("accept")):
        return request.state["page"][DOCUMENT].response(request.headers, POLICY, vary="Accept")
    status = {
        "status": "The caption server is up.",
        "model": request.state["model_name"],
        "caption": "POST /caption",
        "docs": "/docs",
        "openapi": "/openapi.json",
    }
    return JSONResponse(status, headers={"Vary": "Accept"})


async def asset(request: Request[State]) -> Response:
    """Serve a file that the document names. Raises NotFound."""
    found = request.state["page"].get(request.path_params["name"])
    if found is None:
        raise NotFound("The page has no such file.")
    return found.response(request.headers, POLICY)


routes = [
    Route("/", root, methods=["GET"], name="page"),
    Route("/page/{name}", asset, methods=["GET"], include_in_schema=False),
]
