"""Files of the pages for browsers: read once, at the start, and served with an entity tag."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response

from server.http.etag import matches

#: By suffix. A system's own table may lack them or differ, so Python's `mimetypes` is not asked.
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a page, complete in memory."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "Asset":
        """Read a file. Raises OSError, and KeyError for a suffix without a media type."""
        content = path.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, _MEDIA_TYPES[path.suffix], etag)

    def response(self, asked: Headers, policy: str, vary: str = "") -> Response:
        """Render the file, or 304 for a client that has it.

        `asked` are the request's headers, `policy` is the page's Content-Security-Policy.
        """
        headers = {
            "ETag": self.etag,
            # A browser asks each time, so that a page and its scripts are of one version.
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy,
            **({"Vary": vary} if vary else {}),
        }
        if matches(asked.get("if-none-match"), self.etag):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def read_assets(folder: Path, names: Iterable[str]) -> Mapping[str, Asset]:
    """Read these files of a folder, by name. Raises what `Asset.read` raises."""
    return {name: Asset.read(folder / name) for name in names}
