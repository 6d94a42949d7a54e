"""A caption as it lies in the store: sealed, so that what is not ours is never served."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

#: Goes up with every change of the layout or of CachedCaption's fields.
VERSION = b"cap:v1\n"
_SEAL_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class CachedCaption:
    """What answers a request; the fields are server.captioning.captioner.Caption's."""

    text: str
    token_ids: tuple[int, ...]
    confidence: float
    finish_reason: Literal["stop", "length"]


def encode(key: str, caption: CachedCaption) -> bytes:
    """Version, then the SHA-256 of key and payload, then the payload."""
    payload = json.dumps(asdict(caption)).encode()
    return VERSION + _seal(key, payload) + payload


def decode(key: str, value: bytes) -> CachedCaption | None:
    """Read a value found under `key`; None for a foreign, older, damaged or misplaced one."""
    payload = value[len(VERSION) + _SEAL_BYTES :]
    if value != VERSION + _seal(key, payload) + payload:
        return None
    fields = json.loads(payload)
    return CachedCaption(**{**fields, "token_ids": tuple(fields["token_ids"])})


def _seal(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + payload).digest()
