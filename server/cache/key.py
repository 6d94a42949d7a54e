"""The cache key: requests with equal keys have the same caption."""

import hashlib
import json
from dataclasses import Field, fields
from functools import lru_cache
from typing import Any, ClassVar, Protocol, get_args, get_type_hints


class DataclassInstance(Protocol):
    """An instance of any frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __hash__(self) -> int: ...


def cache_key(
    *,
    model_digest: str,
    preprocessing: str,
    image_digest: bytes,
    prompt: str | None,
    settings: DataclassInstance,
) -> str:
    """Return `cap:v1:` and the SHA-256, in hex, of everything that a caption depends on.

    `image_digest` is the SHA-256 of the picture file. `settings` holds the resolved settings of the
    search, so that an absent option and its explicit default give one key. An empty prompt is no
    prompt. Each part is hashed after its length, so that different parts cannot give equal bytes.
    Raises TypeError or ValueError for a setting that does not fit its declared type.
    """
    parts = [
        model_digest.encode(),
        preprocessing.encode(),
        image_digest,
        b"prompt" if prompt else b"no prompt",
        (prompt or "").encode(),
    ]
    hashed = b"".join(map(_with_length, parts)) + _canonical_settings(settings)
    return f"cap:v1:{hashlib.sha256(hashed).hexdigest()}"


# Most requests have the same settings. Settings that are equal have equal bytes.
@lru_cache(maxsize=256)
def _canonical_settings(settings: DataclassInstance) -> bytes:
    """Return the name and the value of each field."""
    hints = get_type_hints(type(settings))
    parts = bytearray()
    for field in fields(settings):
        declared = hints[field.name]
        value = _canonical(get_args(declared) or (declared,), getattr(settings, field.name))
        parts += _with_length(field.name.encode()) + _with_length(value.encode())
    return bytes(parts)


def _canonical(kinds: tuple[object, ...], value: Any) -> str:
    """Return one JSON text for all values that are equal as the declared type.

    `kinds` are the declared types, several for a union. In a field of floats 2 and 2.0 are both
    `2.0`, and in a field of integers both `2`.
    """
    if value is not None and not isinstance(value, str):
        if float in kinds:
            value = float(value) + 0.0  # -0.0 + 0.0 is 0.0
        elif int in kinds:
            if value != int(value):
                raise ValueError(f"{value!r} is not a whole number")
            value = int(value)
        elif bool in kinds:
            value = bool(value)
    return json.dumps(value)


def _with_length(part: bytes) -> bytes:
    return len(part).to_bytes(8, "big") + part
