"""A caption as it lies in the store: sealed, so that what is not ours is never served."""

import hashlib
import json
from dataclasses import asdict

from server.captioning.caption import Caption

#: Goes up with every change of the layout or of Caption's fields.
VERSION = b"cap:v1\n"
_SEAL_BYTES = hashlib.sha256().digest_size


def encode(key: str, caption: Caption) -> bytes:
    """Version, then the SHA-256 of key and payload, then the payload."""
    payload = json.dumps(asdict(caption)).encode()
    return VERSION + _seal(key, payload) + payload


def decode(key: str, value: bytes) -> Caption | None:
    """Read a value found under `key`; None for a foreign, older, damaged or misplaced one."""
    payload = value[len(VERSION) + _SEAL_BYTES :]
    if value != VERSION + _seal(key, payload) + payload:
        return None
    fields = json.loads(payload)
    return Caption(**{**fields, "token_ids": tuple(fields["token_ids"])})


def _seal(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + payload).digest()
