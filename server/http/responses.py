"""Errors as responses: the shape of the server's own dialect, used by every route without one."""

from collections.abc import Callable
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from server.errors import (
    ClientLeft,
    Draining,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Refusal,
    RequestError,
    refusal_for,
)

#: Renders a refusal in the shape that the clients of one surface expect.
RenderError: TypeAlias = Callable[[Refusal], Response]


def render_error(refusal: Refusal) -> JSONResponse:
    """Render `{"error": sentence, "error_type": code}`, the server's own dialect."""
    return JSONResponse(
        {"error": refusal.message, "error_type": refusal.status.error_type}, refusal.status.code
    )


def error_response(refusal: Refusal, render: RenderError = render_error) -> Response:
    """Render a refusal in a dialect, with the headers that the error itself demands."""
    response = render(refusal)
    response.headers.update(refusal.headers)
    return response


def refusal_of(error: RequestError) -> Refusal:
    """Look up an error that certainly has a row in the table."""
    refusal = refusal_for(error)
    assert refusal is not None, f"server.errors.STATUSES has no row for {type(error).__name__}"
    return refusal


#: A defect, without details: the log has them under the request's id.
INTERNAL_ERROR = refusal_of(
    InternalError("The server made a mistake; its log has the details under X-Request-ID.")
)

#: For requests that were in flight when the time to shut down was over.
STOPPED = refusal_of(
    Draining("The server stopped before it could finish; send the request again.", retry_after=1)
)


def translated(error: Exception) -> Exception:
    """Return our error for one of Starlette's own; any other error is returned unchanged."""
    if isinstance(error, ClientDisconnect):
        return ClientLeft()
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("There is no such path; /openapi.json lists the paths.")
    if isinstance(error, HTTPException) and error.status_code == 405:
        refusal = MethodNotAllowed("This path does not take that method; see the header Allow.")
        refusal.headers = error.headers or {}
        return refusal
    return error
