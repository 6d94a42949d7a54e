"""What makes two requests the same request."""

import hashlib
from dataclasses import fields

from server.captioning.generation.types import SearchSettings

_NAMES = tuple(field.name for field in fields(SearchSettings))


def cache_key(
    *,
    model_digest: str,
    preprocessing: str,
    image_digest: bytes,
    prompt: str | None,
    settings: SearchSettings,
) -> str:
    parts = [
        model_digest.encode(),
        preprocessing.encode(),
        *(repr(getattr(settings, name)).encode() for name in _NAMES),
        b"no prompt" if prompt is None else b"prompt",
        (prompt or "").encode(),
        image_digest,
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return f"cap:v1:{digest.hexdigest()}"
