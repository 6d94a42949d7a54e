"""Responses of the OpenAPI document. Errors come from the table of statuses."""

from collections import defaultdict
from collections.abc import Iterable

from server.errors import STATUSES, Scope, Status
from server.http.openapi.schemas import Schema

CAPTION_HEADERS: Schema = {
    "X-Cache": {
        "schema": {"type": "string", "enum": ["HIT", "MISS", "COALESCED", "BYPASS"]},
        "example": "MISS",
    },
    "Server-Timing": {
        "schema": {"type": "string"},
        "description": "Milliseconds of each phase.",
        "example": "read;dur=0.35, cache;dur=0.21, preprocess;dur=2.10, encode;dur=9.84",
    },
    "X-Request-ID": {"schema": {"type": "string"}},
    "ETag": {"schema": {"type": "string"}, "description": "Of the caption and its rendering."},
}


def json_response(schema: Schema, description: str, **more: object) -> Schema:
    """Describe a response with a body in JSON."""
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
        **more,
    }


def caption_response() -> Schema:
    schema = {"$ref": "#/components/schemas/Caption"}
    return json_response(schema, "The caption", headers=CAPTION_HEADERS)


def errors(statuses: Iterable[Status]) -> dict[str, Schema]:
    """Describe the responses for these rows of the table, by status code."""
    by_code: dict[int, list[Status]] = defaultdict(list)
    for status in statuses:
        by_code[status.code].append(status)
    return {str(code): _error(code, rows) for code, rows in sorted(by_code.items())}


def errors_of(*scopes: Scope) -> dict[str, Schema]:
    """Describe the errors that operations of these scopes answer with."""
    return errors(status for status in STATUSES.values() if status.scope in (*scopes, "every"))


def _error(code: int, rows: list[Status]) -> Schema:
    schema = {
        "$ref": "#/components/schemas/Error",
        "properties": {"error_type": {"enum": [each.error_type for each in rows]}},
    }
    example = {"error": f"{rows[0].description}.", "error_type": rows[0].error_type}
    response = {
        "description": "; ".join(f"`{each.error_type}`: {each.description}" for each in rows),
        "content": {"application/json": {"schema": schema, "example": example}},
    }
    return {**response, "headers": _RETRY_AFTER} if code == 503 else response


_RETRY_AFTER: Schema = {
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 1},
        "description": "Seconds after which to come back, unless the model is stalled.",
    }
}
