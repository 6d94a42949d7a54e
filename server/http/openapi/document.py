"""The API in OpenAPI 3.1, made from the tables that the code itself uses, for the loaded model."""

import server
from server.captioning.model.manifest import Manifest
from server.errors import STATUSES
from server.http.openapi.operations import (
    DOCS,
    METRICS,
    ROOT,
    caption_post,
    captions_post,
    get,
    lookup,
)
from server.http.openapi.responses import errors
from server.http.openapi.schemas import CAPTION, ERROR, Schema


def document(manifest: Manifest) -> Schema:
    """Describe the server's own routes. Routes of other dialects follow their own documents."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Caption server",
            "version": server.__version__,
            "description": f"Captions of pictures by the model `{manifest.name}`.",
        },
        "tags": [{"name": "Captions"}, {"name": "Server"}],
        "paths": {
            "/": {"get": ROOT},
            "/caption": {"post": caption_post(manifest)},
            "/captions": {"post": captions_post(manifest)},
            "/caption/{digest}": {"get": lookup(manifest)},
            "/docs": {"get": DOCS},
            "/health": {"get": get("health", "Same as /health/ready", "health")},
            "/health/live": {
                "get": get("live", "The process answers and is not stalled", "health")
            },
            "/health/ready": {"get": get("ready", "The server takes captions", "health")},
            "/info": {"get": get("info", "Model, limits and versions")},
            "/metrics": {"get": METRICS},
            "/openapi.json": {"get": get("openapi", "This document")},
        },
        "components": {
            "schemas": {"Caption": CAPTION, "Error": ERROR},
            # Every status, those included that belong to no operation: 404, 405 and 499.
            "responses": errors(each for each in STATUSES.values() if each.scope != "dialect"),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
