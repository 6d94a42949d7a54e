"""The stored form of a caption. A seal over key and payload detects foreign and damaged values."""

import hashlib
import json

from server.captioning.caption import Caption

#: Raise it when the layout, a field of Caption, or the meaning of one changes.
VERSION = b"cap:v2\n"
_SEAL_BYTES = hashlib.sha256().digest_size


def encode(key: str, caption: Caption) -> bytes:
    """Return the version, then the SHA-256 of key and payload, then the payload as JSON."""
    fields = {
        "text": caption.text,
        "token_ids": caption.token_ids,
        "confidence": caption.confidence,
        "finish_reason": caption.finish_reason,
    }
    payload = json.dumps(fields).encode()
    return VERSION + _seal(key, payload) + payload


def decode(key: str, value: bytes) -> Caption | None:
    """Read a value found under `key`.

    Return None for a value that is foreign, damaged, of another key, or of a server with another
    VERSION or other fields: during a rolling upgrade both write to one store.
    """
    payload = value[len(VERSION) + _SEAL_BYTES :]
    if value != VERSION + _seal(key, payload) + payload:
        return None
    try:
        return _read(json.loads(payload))
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested too deeply
        return None


def _read(fields: object) -> Caption | None:
    """Check that every field is present, of its exact type and in range, and that no other is."""
    match fields:
        case {
            "text": str(text),
            "token_ids": list(token_ids),
            "confidence": float(confidence),
            "finish_reason": ("stop" | "length") as finish_reason,
            **others,
        } if not others:
            # By exact type: to Python a bool is an int too.
            if set(map(type, token_ids)) <= {int} and 0.0 < confidence <= 1.0:
                return Caption(text, tuple(token_ids), confidence, finish_reason)
    return None


def _seal(key: str, payload: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + payload).digest()
