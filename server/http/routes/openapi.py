"""GET /openapi.json: the API in OpenAPI 3.1, drawn from the tables that the code itself goes by."""

from collections import defaultdict
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import server
from server.captioning.options import RANGES, GenerationOptions
from server.errors import STATUSES
from server.http.state import State

Schema = Mapping[str, object]

ERROR: Schema = {
    "type": "object",
    "required": ["error", "error_type"],
    "properties": {
        "error": {"type": "string", "description": "One sentence for a person."},
        "error_type": {"type": "string", "description": "A stable code for a program."},
    },
}
CAPTION: Schema = {
    "type": "object",
    "required": ["caption", "cached", "model", "confidence"],
    "properties": {
        "caption": {"type": "string"},
        "cached": {"type": "boolean", "description": "Whether it came from the cache."},
        "model": {"type": "string"},
        "confidence": {
            "type": "number",
            "maximum": 0,
            "description": "Mean log-probability of the generated tokens.",
        },
    },
}
CAPTION_HEADERS: Schema = {
    "X-Cache": {"schema": {"enum": ["HIT", "MISS", "COALESCED", "BYPASS"]}},
    "Server-Timing": {"schema": {"type": "string"}, "description": "Milliseconds of each phase."},
    "X-Request-ID": {"schema": {"type": "string"}},
}


async def openapi(request: Request[State]) -> JSONResponse:
    return JSONResponse(DOCUMENT)


def _json(schema: Schema, description: str, **more: object) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
        **more,
    }


def _form() -> Schema:
    defaults = GenerationOptions()
    properties: dict[str, dict[str, object]] = {
        "image": {"type": "string", "format": "binary"},
        "prompt": {"type": "string", "description": "How the caption begins."},
    }
    for name, (low, high) in RANGES.items():
        default = getattr(defaults, name)
        kind = "number" if isinstance(default, float) else "integer"
        properties[name] = {"type": kind, "minimum": low, "maximum": high}
        if default is not None:
            properties[name] |= {"default": default}
    return {"type": "object", "required": ["image"], "properties": properties}


def _errors() -> dict[str, Schema]:
    types = defaultdict(list)
    for status in STATUSES.values():
        types[status.code].append(status.error_type)
    return {
        str(code): _json({"$ref": "#/components/schemas/Error"}, " or ".join(types[code]))
        for code in sorted(types)
    }


def _get(summary: str, **more: Schema) -> Schema:
    return {"get": {"summary": summary, "responses": {"200": _json({}, summary), **more}}}


_NOT_READY = {"503": _json({}, "The server drains.")}

_CAPTION_POST: Schema = {
    "summary": "Caption a picture",
    # With a key or, where none is configured, without.
    "security": [{}, {"key": []}],
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _form()}}},
    "responses": {"200": _json(CAPTION, "The caption", headers=CAPTION_HEADERS), **_errors()},
}

DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {"title": "Caption server", "version": server.__version__},
    "paths": {
        "/caption": {"post": _CAPTION_POST},
        "/health": _get("Same as /health/ready", **_NOT_READY),
        "/health/live": _get("The process answers"),
        "/health/ready": _get("Captions are taken", **_NOT_READY),
        "/info": _get("Model, limits and versions"),
        "/metrics": _get("Metrics for Prometheus"),
        "/openapi.json": _get("This document"),
    },
    "components": {
        "schemas": {"Error": ERROR},
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    },
}

routes = [Route("/openapi.json", openapi)]
