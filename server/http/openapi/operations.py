"""Operations of the OpenAPI document: parameters, bodies and responses of each route."""

from server.captioning.errors import OptionOutOfRange, PromptTooLong
from server.captioning.model.manifest import Manifest
from server.errors import STATUSES, FieldTooLong, InvalidField, Scope, Unauthorized
from server.http.openapi.responses import caption_response, errors, errors_of, json_response
from server.http.openapi.schemas import (
    BATCH_ERROR,
    BATCH_LINE,
    EXAMPLE_DIGEST,
    STATUS,
    Schema,
    caption_fields,
)

#: With a key, or without one where none is configured.
SECURITY: list[Schema] = [{}, {"key": []}]

#: What a look-up refuses besides a caption that is not cached.
_LOOKUP_ERRORS = (InvalidField, FieldTooLong, Unauthorized, PromptTooLong, OptionOutOfRange)

_DIGEST: Schema = {
    "name": "digest",
    "in": "path",
    "required": True,
    "description": "SHA-256 of the picture's file, in hex.",
    "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    "example": EXAMPLE_DIGEST,
}
_IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an earlier answer.",
    "schema": {"type": "string"},
}


_NO_CACHE: Schema = {
    "name": "Cache-Control",
    "in": "header",
    "required": False,
    "description": "`no-cache` skips the look-up and overwrites the cached caption.",
    "schema": {"type": "string"},
}
_IMAGE: Schema = {
    "type": "string",
    "format": "binary",
    "description": "The picture's file: JPEG, PNG, WEBP, GIF, BMP, TIFF or AVIF.",
}
_LINES: Schema = {
    "description": "One line of JSON a picture, as soon as it is done",
    "content": {
        "application/x-ndjson": {
            "schema": {"oneOf": [BATCH_LINE, BATCH_ERROR]},
            "example": '{"index":0,"filename":"dog.jpg","caption":"a dog","cached":false,'
            '"confidence":0.98}\n',
        }
    },
}


def caption_post(manifest: Manifest) -> Schema:
    return {
        "summary": "Caption a picture",
        "operationId": "caption",
        "tags": ["Captions"],
        "security": SECURITY,
        "parameters": [_NO_CACHE],
        "requestBody": _form({"image": _IMAGE, **caption_fields(manifest)}),
        "responses": {"200": caption_response(), **errors_of("caption")},
    }


def captions_post(manifest: Manifest) -> Schema:
    """Describe the form in which `image` and `prompt` may be repeated."""
    fields = caption_fields(manifest)
    one = fields.pop("prompt")
    prompt: Schema = {
        "anyOf": [one, {"type": "array", "items": one}],
        "description": "One for all pictures, or one a picture in the same order.",
    }
    image: Schema = {"type": "array", "minItems": 1, "items": _IMAGE}
    return {
        "summary": "Caption many pictures",
        "operationId": "captions",
        "tags": ["Captions"],
        "security": SECURITY,
        "parameters": [_NO_CACHE],
        "requestBody": _form({"image": image, "prompt": prompt, **fields}),
        "responses": {"200": _LINES, **errors_of("caption", "batch")},
    }


def _form(properties: Schema) -> Schema:
    schema: Schema = {
        "type": "object",
        "required": ["image"],
        "properties": properties,
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def lookup(manifest: Manifest) -> Schema:
    query: list[Schema] = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in caption_fields(manifest).items()
    ]
    return {
        "summary": "Return the caption of a picture that was captioned before, without an upload",
        "operationId": "lookup",
        "tags": ["Captions"],
        "security": SECURITY,
        "parameters": [_DIGEST, _IF_NONE_MATCH, *query],
        "responses": {
            "200": caption_response(),
            "304": {"description": "The caption that If-None-Match names"},
            **errors(
                status
                for kind, status in STATUSES.items()
                if status.scope in ("lookup", "every") or kind in _LOOKUP_ERRORS
            ),
        },
    }


def get(operation_id: str, summary: str, *scopes: Scope, content: Schema | None = None) -> Schema:
    """Describe a GET without parameters, by default one that answers in JSON."""
    answer = content or json_response({"type": "object"}, summary)
    return {
        "summary": summary,
        "operationId": operation_id,
        "tags": ["Server"],
        "responses": {"200": answer, **errors_of(*scopes)},
    }


ROOT = get(
    "root",
    "The page for browsers, a status for every other client",
    content={
        "description": "HTML if the header Accept names it, else JSON",
        "headers": {"Vary": {"schema": {"const": "Accept"}}},
        "content": {
            "application/json": {"schema": STATUS},
            "text/html": {"schema": {"type": "string"}},
        },
    },
)
DOCS = get(
    "docs",
    "This documentation, interactive",
    content={
        "description": "A page for browsers",
        "content": {"text/html": {"schema": {"type": "string"}}},
    },
)
METRICS = get(
    "metrics",
    "Metrics for Prometheus",
    content={
        "description": "Prometheus' text format, or OpenMetrics by the header Accept",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/openmetrics-text": {"schema": {"type": "string"}},
        },
    },
)
