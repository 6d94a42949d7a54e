"""What makes two requests the same request."""

import hashlib
from dataclasses import fields

from server.captioning.image.version import PREPROCESSING_VERSION
from server.captioning.options import GenerationOptions

_OPTION_NAMES = tuple(field.name for field in fields(GenerationOptions))


def cache_key(
    model_digest: str,
    image_digest: bytes,
    prompt: str | None,
    options: GenerationOptions,
    exact_decode: bool,
) -> str:
    """`cap:v1:` and the SHA-256, in hex, of everything a caption depends on.

    Every part goes in behind its length, so that no two lists of parts give the same bytes. No
    prompt and an empty prompt are different requests, so the prompt's presence is a part.
    """
    parts = [
        model_digest.encode(),
        str(PREPROCESSING_VERSION).encode(),
        b"exact" if exact_decode else b"draft",
        *(repr(getattr(options, name)).encode() for name in _OPTION_NAMES),
        b"no prompt" if prompt is None else b"prompt",
        (prompt or "").encode(),
        image_digest,
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return f"cap:v1:{digest.hexdigest()}"
