"""The composition root: build the server from its parts, and give them to the routes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from server.cache.factory import open_cache
from server.captioning.captioner import BlipCaptioner
from server.http.admission import Admission
from server.http.auth import ApiKeys, configured_keys
from server.http.cors import cross_origin
from server.http.forms import form_limits
from server.http.metrics import Metrics, PartsCollector
from server.http.openapi.document import document
from server.http.readiness import Readiness
from server.http.routes import (
    caption,
    captions,
    docs,
    health,
    huggingface,
    info,
    kserve,
    lookup,
    ollama,
    ollama_models,
    openai_chat,
    openai_models,
    openai_responses,
    openapi,
    page,
    photoprism,
    stable_diffusion,
)
from server.http.routes import metrics as metrics_route
from server.http.security_headers import secured
from server.http.served_model import ServedModel
from server.http.state import Resources
from server.http.telemetry import Telemetry
from server.inference.batcher import open_batcher
from server.inference.decode_stage import open_decode_stage
from server.inference.model import CaptionModel
from server.inference.queue_limit import QueueLimit
from server.inference.service import CaptionService
from server.settings import Settings

logger = logging.getLogger(__name__)

OpenModel = Callable[[Settings], CaptionModel]

#: The routes of the server's own API, which /openapi.json describes.
OWN_ROUTES = (
    *caption.routes,
    *captions.routes,
    *lookup.routes,
    *health.routes,
    *info.routes,
    *metrics_route.routes,
    *openapi.routes,
    *page.routes,
    *docs.routes,
)
#: The routes that other APIs define, for their clients.
DIALECT_ROUTES = (
    *huggingface.routes,
    *ollama.routes,
    *ollama_models.routes,
    *openai_chat.routes,
    *openai_responses.routes,
    *openai_models.routes,
    *photoprism.routes,
    *stable_diffusion.routes,
    *kserve.routes,
)
ROUTES = (*OWN_ROUTES, *DIALECT_ROUTES)


def open_model(settings: Settings) -> CaptionModel:
    """Load the model directory. Raises ModelDirectoryError."""
    return BlipCaptioner.open(
        Path(settings.model),
        threads=settings.threads,
        max_pixels=settings.max_pixels,
        exact_decode=settings.exact_decode,
        encoder_cache_bytes=settings.encoder_cache_mb * 1_000_000,
    )


@asynccontextmanager
async def open_resources(
    settings: Settings, open_model: OpenModel = open_model
) -> AsyncIterator[Resources]:
    """Open what outlives a request, with the model loaded and warm, and close it at the end.

    This is entered around the server. In an ASGI lifespan uvicorn would log the traceback of an
    error instead of raising it. Raises StartupError and ModelDirectoryError.
    """
    keys = configured_keys(settings)
    model = await asyncio.to_thread(open_model, settings)
    await asyncio.to_thread(model.warm_up)
    logger.info(
        "model: %s, %s, digest %.12s; threads: %d",
        *(model.manifest.name, model.manifest.precision, model.digest, model.threads),
    )
    if model.manifest.notice:
        logger.info("notice: %s", model.manifest.notice)
    logger.info("access: %s", f"API keys, {len(keys)}" if keys else "open, without API keys")
    admission = Admission(settings.max_in_flight, settings.receive_timeout)
    queue_limit = QueueLimit(settings.queue_size, settings.batch_size)
    async with AsyncExitStack() as stack:
        batcher = await stack.enter_async_context(open_batcher(model, settings.batch_size))
        decode_stage = stack.enter_context(open_decode_stage(model.decode))
        cache = await stack.enter_async_context(open_cache(settings))
        service = CaptionService(model, batcher, decode_stage, queue_limit, cache)
        readiness = Readiness(admission, service.seconds_without_progress, settings.stall_timeout)
        await stack.enter_async_context(readiness.watching())
        metrics = Metrics()
        metrics.registry.register(PartsCollector(admission, service, cache, model))
        yield Resources(
            api_keys=ApiKeys(keys),
            admission=admission,
            readiness=readiness,
            metrics=metrics,
            service=service,
            form_limits=form_limits(settings.max_body_mb * 1_000_000),
            model_name=model.manifest.name,
            served_model=ServedModel.of(model, settings),
            chat_prompt=settings.chat_prompt,
            cors_origins=settings.cors_origin,
            max_batch_images=settings.max_batch_images,
            info=info.describe(model, settings),
            openapi=document(model.manifest),
            page=page.read_page(),
            docs=docs.read_docs(),
        )


def create_app(resources: Resources) -> ASGIApp:
    """Build the ASGI application. Handlers find the resources in the state of their request."""
    # A redirect would repeat any host name that the client sends.
    traced: ASGIApp = Telemetry(Router(ROUTES, redirect_slashes=False))

    if resources["cors_origins"]:
        traced = cross_origin(traced, resources["cors_origins"])
    answered = secured(traced)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = dict(resources)
        # With an app in the scope the router raises 404 and 405 instead of answering in plain text.
        scope["app"] = app
        await answered(scope, receive, send)

    return app
