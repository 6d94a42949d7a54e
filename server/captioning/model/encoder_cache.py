"""Encoded pictures, kept for the next prompt about one of them."""

from collections import OrderedDict

from server.captioning.model.encoder import EncodedImage


class EncoderCache:
    """At most so many bytes; what was used longest ago goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._images: OrderedDict[bytes, EncodedImage] = OrderedDict()

    def get(self, digest: bytes) -> EncodedImage | None:
        image = self._images.get(digest)
        if image:
            self._images.move_to_end(digest)
        return image

    def put(self, digest: bytes, image: EncodedImage) -> None:
        """Keep an image that isn't there yet, unless it alone takes more than there may be."""
        if image.nbytes > self._max_bytes:
            return
        self._images[digest] = image
        self._bytes += image.nbytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._images.popitem(last=False)[1].nbytes
