"""GET /openapi.json: the API in OpenAPI 3.1, made from the tables that the code itself uses."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import server
from server.captioning.errors import OptionOutOfRange, PromptTooLong
from server.captioning.options import RANGES
from server.errors import STATUSES, FieldTooLong, InvalidField, Scope, Status, Unauthorized
from server.http.fields import NUMBERS, integer
from server.http.state import State
from server.inference.rendering import MAX_CHARS_RANGE, STYLES

Schema = Mapping[str, Any]

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
            "exclusiveMinimum": 0,
            "maximum": 1,
            "description": "Geometric mean of the probabilities of the generated tokens.",
        },
    },
}
_LINE_OF: dict[str, Schema] = {
    "index": {"type": "integer", "minimum": 0, "description": "The picture's place in the form."},
    "filename": {"type": "string"},
}
_CAPTION_MEMBERS = ("caption", "cached", "confidence")
BATCH_LINE: Schema = {
    "type": "object",
    "required": [*_LINE_OF, *_CAPTION_MEMBERS],
    "properties": {**_LINE_OF, **{each: CAPTION["properties"][each] for each in _CAPTION_MEMBERS}},
}
BATCH_ERROR: Schema = {
    "type": "object",
    "required": [*_LINE_OF, *ERROR["properties"]],
    "properties": {**_LINE_OF, **ERROR["properties"]},
}
CAPTION_HEADERS: Schema = {
    "X-Cache": {"schema": {"enum": ["HIT", "MISS", "COALESCED", "BYPASS"]}},
    "Server-Timing": {"schema": {"type": "string"}, "description": "Milliseconds of each phase."},
    "X-Request-ID": {"schema": {"type": "string"}},
    "ETag": {"schema": {"type": "string"}, "description": "Of the caption and its rendering."},
}
#: What a look-up refuses besides a caption that is not cached.
LOOKUP_ERRORS = (InvalidField, FieldTooLong, Unauthorized, PromptTooLong, OptionOutOfRange)


async def openapi(request: Request[State]) -> JSONResponse:
    return JSONResponse(DOCUMENT)


def _json(schema: Schema, description: str, **more: object) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
        **more,
    }


def _options() -> dict[str, Schema]:
    properties: dict[str, Schema] = {
        "prompt": {
            "type": "string",
            "description": "Text that the caption continues. An empty prompt is no prompt.",
        },
    }
    for name, (low, high) in RANGES.items():
        properties[name] = {
            "type": "integer" if NUMBERS[name] is integer else "number",
            "minimum": low,
            "maximum": high,
            "description": "If absent, the model's own setting.",
        }
    low, high = MAX_CHARS_RANGE
    properties |= {
        "return_full_text": {
            "type": "boolean",
            "default": True,
            "description": "Whether the text begins with the prompt.",
        },
        "style": {
            "enum": list(STYLES),
            "default": "plain",
            "description": '`alt`: a sentence without "a picture of", as an alternative text.',
        },
        "max_chars": {
            "type": "integer",
            "minimum": low,
            "maximum": high,
            "description": "Cut the text at a word.",
        },
    }
    return properties


def _form() -> Schema:
    image: Schema = {"type": "string", "format": "binary"}
    properties = {"image": image, **_options()}
    return {"type": "object", "required": ["image"], "properties": properties}


def _batch_form() -> Schema:
    """Describe the form of /captions: `image` and `prompt` may be repeated."""
    options = _options()
    image: Schema = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "format": "binary"},
    }
    prompt: Schema = {
        "type": "array",
        "items": options.pop("prompt"),
        "description": "One for all pictures, or one a picture in the same order.",
    }
    properties = {"image": image, "prompt": prompt, **options}
    return {"type": "object", "required": ["image"], "properties": properties}


def _form_body(schema: Schema) -> Schema:
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _query() -> list[Schema]:
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in _options().items()
    ]


def _errors(statuses: Iterable[Status]) -> dict[str, Schema]:
    """Describe the responses for these rows of the table, by status code."""
    by_code: dict[int, list[Status]] = defaultdict(list)
    for status in statuses:
        by_code[status.code].append(status)
    return {
        str(code): _json(
            {
                "$ref": "#/components/schemas/Error",
                "properties": {"error_type": {"enum": [each.error_type for each in rows]}},
            },
            "; ".join(f"`{each.error_type}`: {each.description}" for each in rows),
        )
        for code, rows in sorted(by_code.items())
    }


def _answered_by(*scopes: Scope) -> dict[str, Schema]:
    return _errors(status for status in STATUSES.values() if status.scope in (*scopes, "every"))


def _get(summary: str, *scopes: Scope, content: Schema | None = None) -> Schema:
    answer = content or _json({}, summary)
    return {"get": {"summary": summary, "responses": {"200": answer, **_answered_by(*scopes)}}}


_CAPTION_POST: Schema = {
    "summary": "Caption a picture",
    # With a key, or without one where none is configured.
    "security": [{}, {"key": []}],
    "requestBody": _form_body(_form()),
    "responses": {
        "200": _json(CAPTION, "The caption", headers=CAPTION_HEADERS),
        **_answered_by("caption"),
    },
}

_LINES: Schema = {
    "description": "One line of JSON a picture, as soon as it is done",
    "content": {"application/x-ndjson": {"schema": {"oneOf": [BATCH_LINE, BATCH_ERROR]}}},
}

_CAPTIONS_POST: Schema = {
    "summary": "Caption many pictures",
    "security": [{}, {"key": []}],
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": _batch_form()}},
    },
    "responses": {"200": _LINES, **_answered_by("caption", "batch")},
}

_LOOKUP: Schema = {
    "summary": "Return the caption of a picture that was captioned before, without an upload",
    "security": [{}, {"key": []}],
    "parameters": [
        {
            "name": "digest",
            "in": "path",
            "required": True,
            "description": "SHA-256 of the picture's file, in hex.",
            "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
        },
        *_query(),
    ],
    "responses": {
        "200": _json(CAPTION, "The caption", headers=CAPTION_HEADERS),
        "304": {"description": "The caption that If-None-Match names"},
        **_errors(
            status
            for kind, status in STATUSES.items()
            if status.scope in ("lookup", "every") or kind in LOOKUP_ERRORS
        ),
    },
}

_METRICS: Schema = {
    "description": "Prometheus' text format, or OpenMetrics by the header Accept",
    "content": {"text/plain": {}, "application/openmetrics-text": {}},
}

DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {"title": "Caption server", "version": server.__version__},
    "paths": {
        "/caption": {"post": _CAPTION_POST},
        "/captions": {"post": _CAPTIONS_POST},
        "/caption/{digest}": {"get": _LOOKUP},
        "/health": _get("Same as /health/ready", "health"),
        "/health/live": _get("The process answers and is not stalled", "health"),
        "/health/ready": _get("The server takes captions", "health"),
        "/info": _get("Model, limits and versions"),
        "/metrics": _get("Metrics for Prometheus", content=_METRICS),
        "/openapi.json": _get("This document"),
    },
    "components": {
        "schemas": {"Error": ERROR},
        # Every status, those included that belong to no operation: 404, 405 and 499.
        "responses": _errors(each for each in STATUSES.values() if each.scope != "dialect"),
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    },
}

routes = [Route("/openapi.json", openapi)]
