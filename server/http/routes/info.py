"""GET /info: the model that is served, its limits, and versions."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import server
from server.captioning.lengths import option_ranges
from server.http.fields import MAX_PROMPT_BYTES
from server.http.state import State
from server.inference.model import CaptionModel
from server.settings import Settings

PACKAGES = ("onnxruntime", "tokenizers", "pillow", "numpy", "starlette", "uvicorn", "redis")


async def info(request: Request[State]) -> JSONResponse:
    return JSONResponse(request.state["info"])


def describe(model: CaptionModel, settings: Settings) -> Mapping[str, object]:
    """Build the body of /info, which is constant while the server runs."""
    manifest = model.manifest
    return {
        "model": {
            "name": manifest.name,
            "source": manifest.source,
            "revision": manifest.revision,
            "precision": manifest.precision,
            "digest": model.digest,
            "notice": manifest.notice,
        },
        "image": {
            "height": manifest.image.height,
            "width": manifest.image.width,
            "exact_decode": model.exact_decode,
        },
        "options": {
            name: {"min": low, "max": high} for name, (low, high) in option_ranges(manifest).items()
        },
        "limits": {
            "body_bytes": settings.max_body_mb * 1_000_000,
            "pixels": settings.max_pixels,
            "prompt_bytes": MAX_PROMPT_BYTES,
            "requests_in_flight": settings.max_in_flight,
            "queue": settings.queue_size,
        },
        "threads": model.threads,
        "versions": {
            "server": server.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


routes = [Route("/info", info)]
