"""Read a request's body within a limit of bytes."""

from collections.abc import AsyncIterator

from starlette.datastructures import Headers
from starlette.types import Receive

from server.errors import BodyTooLarge, ClientLeft, UnsupportedEncoding


async def body_chunks(headers: Headers, receive: Receive, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body in the pieces in which it arrives.

    Raises BodyTooLarge as soon as the declared or the received length is over `max_bytes`,
    ClientLeft if the client disconnects first, and UnsupportedEncoding for a compressed body, as a
    small one could be far larger than the limit once it is unpacked.
    """
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise UnsupportedEncoding(
            f"The body has the Content-Encoding {encoding[:40]!r}; send it uncompressed."
        )
    too_large = BodyTooLarge(f"The request is over {max_bytes} bytes; send a smaller file.")
    if int(headers.get("content-length", 0)) > max_bytes:
        raise too_large
    received, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        if received > max_bytes:
            raise too_large
        yield chunk
        more = message.get("more_body", False)
