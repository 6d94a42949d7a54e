"""The composition root: build the server from its parts, and give them to the routes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from server.cache.factory import open_cache
from server.captioning.captioner import Captioner as BlipCaptioner
from server.http.admission import Admission
from server.http.auth import ApiKeys, configured_keys
from server.http.forms import form_limits
from server.http.metrics import Metrics, PartsCollector
from server.http.readiness import Readiness
from server.http.routes import caption, health, info, openapi
from server.http.routes import metrics as metrics_route
from server.http.state import Resources
from server.http.telemetry import Telemetry
from server.inference.batcher import open_batcher
from server.inference.service import Captioner, CaptionService
from server.settings import Settings

logger = logging.getLogger(__name__)

OpenCaptioner = Callable[[Settings], Captioner]

ROUTES = (*caption.routes, *health.routes, *info.routes, *metrics_route.routes, *openapi.routes)


def open_captioner(settings: Settings) -> Captioner:
    """Load the model directory. Raises ModelDirectoryError."""
    return BlipCaptioner.open(
        settings.model,
        threads=settings.threads,
        max_pixels=settings.max_pixels,
        exact_decode=settings.exact_decode,
        batch_size=settings.batch_size,
        encoder_cache_bytes=settings.encoder_cache_mb * 1_000_000,
    )


@asynccontextmanager
async def open_resources(
    settings: Settings, open_captioner: OpenCaptioner = open_captioner
) -> AsyncIterator[Resources]:
    """Open what outlives a request, with the model loaded and warm, and close it at the end.

    This is entered around the server. In an ASGI lifespan uvicorn would log the traceback of an
    error instead of raising it. Raises StartupError and ModelDirectoryError.
    """
    keys = configured_keys(settings)
    captioner = await asyncio.to_thread(open_captioner, settings)
    await asyncio.to_thread(captioner.warm_up)
    async with open_batcher(
        captioner.step, captioner.gather, settings.queue_size, settings.batch_size
    ) as batcher:
        model = captioner.manifest
        logger.info(
            "model: %s, %s, digest %.12s; threads: %d",
            *(model.name, model.precision, captioner.digest, captioner.threads),
        )
        logger.info("access: %s", f"API keys, {len(keys)}" if keys else "open, without API keys")
        admission = Admission(settings.max_in_flight, settings.receive_timeout)
        readiness = Readiness(admission, batcher.seconds_without_progress, settings.stall_timeout)
        async with open_cache(settings) as cache, readiness.watching():
            metrics = Metrics()
            metrics.registry.register(
                PartsCollector(admission, batcher, cache, model, captioner.digest)
            )
            yield Resources(
                api_keys=ApiKeys(keys),
                admission=admission,
                readiness=readiness,
                metrics=metrics,
                service=CaptionService(captioner, batcher, cache),
                form_limits=form_limits(settings.max_body_mb * 1_000_000),
                model_name=model.name,
                info=info.describe(captioner, settings),
            )


def create_app(resources: Resources) -> ASGIApp:
    """Build the ASGI application. Handlers find the resources in the state of their request."""
    # A redirect would repeat any host name that the client sends.
    traced = Telemetry(Router(ROUTES, redirect_slashes=False))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = dict(resources)
        # With an app in the scope the router raises 404 and 405 instead of answering in plain text.
        scope["app"] = app
        await traced(scope, receive, send)

    return app
