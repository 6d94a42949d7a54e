"""Let web pages of other origins call the server, by Starlette's middleware."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

#: Headers of an answer that a page may read.
_EXPOSED = ("ETag", "Retry-After", "Server-Timing", "X-Cache", "X-Request-ID")
_PREFLIGHT_SECONDS = 3600


def cross_origin(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Wrap the application. A preflight may ask for any header: clients send many of their own."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=("*",),
        expose_headers=_EXPOSED,
        max_age=_PREFLIGHT_SECONDS,
    )
