"""The composition root: what the server is made of, and which routes get it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from server.cache.factory import open_cache
from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import CaptioningError
from server.errors import RequestError, handle_http_exception, handle_refusal
from server.http.admission import Admission
from server.http.auth import ApiKeys, configured_keys
from server.http.forms import form_limits
from server.http.metrics import Metrics, PartsCollector
from server.http.routes import caption, health, info, metrics, openapi
from server.http.state import Resources
from server.http.telemetry import Telemetry
from server.inference.batcher import open_batcher
from server.inference.decode_stage import open_decode_stage
from server.inference.model import CaptionModel
from server.inference.queue_limit import QueueLimit
from server.inference.service import CaptionService
from server.settings import Settings

logger = logging.getLogger(__name__)

OpenCaptioner = Callable[[Settings], CaptionModel]

ROUTES = (*caption.routes, *health.routes, *info.routes, *metrics.routes, *openapi.routes)


def open_captioner(settings: Settings) -> CaptionModel:
    """Load the model directory. Raises ModelDirectoryError."""
    return BlipCaptioner.open(
        settings.model,
        threads=settings.threads,
        max_pixels=settings.max_pixels,
        exact_decode=settings.exact_decode,
        encoder_cache_bytes=settings.encoder_cache_mb * 1_000_000,
    )


@asynccontextmanager
async def open_resources(
    settings: Settings, open_captioner: OpenCaptioner = open_captioner
) -> AsyncIterator[Resources]:
    """Everything that outlives a request: the server's lifespan, with the model loaded and warm.

    Entered around the server and not as an ASGI lifespan, in which an error would reach nobody:
    uvicorn logs its traceback. Raises StartupError and ModelDirectoryError.
    """
    keys = configured_keys(settings)
    captioner = await asyncio.to_thread(open_captioner, settings)
    await asyncio.to_thread(captioner.warm_up)
    async with open_batcher(captioner, settings.batch_size) as batcher:
        model = captioner.manifest
        logger.info(
            "model: %s, %s, digest %.12s; threads: %d",
            *(model.name, model.precision, captioner.digest, captioner.threads),
        )
        logger.info("access: %s", f"API keys, {len(keys)}" if keys else "open, without API keys")
        async with open_cache(settings) as cache:
            with open_decode_stage(captioner.decode) as decode_stage:
                admission, measured = Admission(settings.max_in_flight), Metrics()
                measured.registry.register(
                    PartsCollector(admission, batcher, cache, model, captioner.digest)
                )
                queue_limit = QueueLimit(settings.queue_size, settings.batch_size)
                yield Resources(
                    access=ApiKeys(keys),
                    admission=admission,
                    metrics=measured,
                    service=CaptionService(captioner, batcher, decode_stage, queue_limit, cache),
                    form_limits=form_limits(
                        settings.max_body_mb * 1_000_000, settings.receive_timeout
                    ),
                    model_name=model.name,
                    info=info.describe(captioner, settings),
                )


def create_app(resources: Resources) -> ASGIApp:
    """The ASGI application; handlers find the resources, typed, in their request's state."""
    starlette = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Telemetry)],
        exception_handlers={
            RequestError: handle_refusal,
            CaptioningError: handle_refusal,
            HTTPException: handle_http_exception,
        },
    )
    # A redirect would name whatever host the client claims to have asked.
    starlette.router.redirect_slashes = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = dict(resources)
        await starlette(scope, receive, send)

    return app
