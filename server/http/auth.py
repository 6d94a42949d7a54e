"""Authenticate requests by API key; without configured keys every request is allowed."""

import hashlib
import hmac
from collections.abc import Collection

from starlette.datastructures import Headers

from server.errors import StartupError, Unauthorized
from server.option_types import api_keys
from server.settings import Settings


class ApiKeys:
    """Checks the key of a request, sent as `Authorization: Bearer KEY`."""

    def __init__(self, keys: Collection[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def require(self, headers: Headers) -> None:
        """Raise Unauthorized for a request without a valid key, before its body is read."""
        if not self._digests:
            return
        scheme, _, key = headers.get("authorization", "").partition(" ")
        given = _digest(key.strip().encode("latin-1"))
        # Compare with every key, by digests of one length, so that the time tells nothing.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        if scheme.lower() != "bearer" or not any(matches):
            raise Unauthorized("An API key is needed; send it as 'Authorization: Bearer KEY'.")


def configured_keys(settings: Settings) -> frozenset[str]:
    """Collect the keys of --api-key and --api-key-file. Raises StartupError."""
    path = settings.api_key_file
    if path is None:
        return frozenset(settings.api_key)
    try:
        return frozenset((*settings.api_key, *api_keys(path.read_text())))
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise StartupError(
            f"can't read API keys from {path}: {reason}; see --api-key-file"
        ) from exc


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
