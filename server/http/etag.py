"""Entity tags of captions, by RFC 9110 section 8.8.3."""

import hashlib

from server.inference.rendering import Rendering

#: A caption belongs to the client that sent the picture, and may change with the model.
CACHE_CONTROL = "private, no-cache"


def etag_of(key: str, rendering: Rendering) -> str:
    """Return a weak tag: answers with equal keys and renderings differ in `cached` alone."""
    return f'W/"{hashlib.sha256(f"{key} {rendering}".encode()).hexdigest()[:32]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether the header If-None-Match lists the tag; "*" matches any."""
    if if_none_match is None:
        return False
    given = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return "*" in given or etag.removeprefix("W/") in given
