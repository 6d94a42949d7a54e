"""A cache of encoded pictures, for a new prompt on a known picture."""

from collections import OrderedDict
from threading import Lock

from server.captioning.model.encoder import EncodedImage


class EncoderCache:
    """Encoded pictures by SHA-256, at most `max_bytes`; the least recently used are evicted first.

    Any thread may use it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._images: OrderedDict[bytes, EncodedImage] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: bytes) -> EncodedImage | None:
        with self._lock:
            image = self._images.get(digest)
            if image:
                self._images.move_to_end(digest)
            return image

    def put(self, digest: bytes, image: EncodedImage) -> None:
        """Store a picture, unless it alone is larger than the cache."""
        if image.nbytes > self._max_bytes:
            return
        with self._lock:
            if known := self._images.pop(digest, None):
                self._bytes -= known.nbytes
            self._images[digest] = image
            self._bytes += image.nbytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._images.popitem(last=False)[1].nbytes
