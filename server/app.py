"""The composition root: opens what the server needs, in order, and gives it to the routes."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from server.cache.opening import open_cache
from server.captioning.captioner import Captioner as OnnxCaptioner
from server.captioning.errors import CaptioningError
from server.errors import RequestError, handle_http_exception, handle_refusal
from server.pipeline import Captioner, Pipeline
from server.routes import caption, health, info
from server.scheduling import Admission, open_worker
from server.settings import Settings
from server.state import Resources
from server.telemetry import Telemetry
from server.uploads import form_limits

logger = logging.getLogger(__name__)

OpenCaptioner = Callable[[Settings], Captioner]


def open_captioner(settings: Settings) -> Captioner:
    """Load the model directory. Raises ModelDirectoryError."""
    return OnnxCaptioner.open(
        settings.model, threads=settings.threads, max_pixels=settings.max_pixels
    )


def create_app(settings: Settings, open_captioner: OpenCaptioner = open_captioner) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Resources]:
        async with open_resources(settings, open_captioner) as resources:
            yield resources

    app = Starlette(
        routes=[*caption.routes, *health.routes, *info.routes],
        middleware=[Middleware(Telemetry)],
        exception_handlers={
            RequestError: handle_refusal,
            CaptioningError: handle_refusal,
            HTTPException: handle_http_exception,
        },
        lifespan=lifespan,
    )
    # A redirect would name the host that the client claims to have asked.
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[ASGIApp]:
    """Enter the app's lifespan and give what can be served.

    For servers and tests that want start-up errors as exceptions: uvicorn would log a traceback.
    """
    async with app.router.lifespan_context(app) as resources:

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(resources or {})
            await app(scope, receive, send)

        yield serve


@asynccontextmanager
async def open_resources(
    settings: Settings, open_captioner: OpenCaptioner
) -> AsyncIterator[Resources]:
    """Everything that outlives a request. Raises StartupError and ModelDirectoryError."""
    async with open_cache(settings) as cache, open_worker(settings.queue_size) as worker:
        captioner = await worker.run(lambda cancelled: open_captioner(settings))
        await worker.run(lambda cancelled: captioner.warm_up())
        model = captioner.manifest
        logger.info(
            "model: %s, %s, digest %.12s, on %d threads",
            *(model.name, model.precision, captioner.digest, captioner.threads),
        )
        yield Resources(
            admission=Admission(settings.max_in_flight),
            pipeline=Pipeline(captioner, worker, cache),
            form_limits=form_limits(settings.max_body_mb * 1_000_000),
            model_name=model.name,
            info=info.describe(captioner, settings),
        )
