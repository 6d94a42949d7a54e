"""Decode uploaded bytes into the pixels that the model sees: the stage before the encoder."""

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from server.captioning.arrays import Pixels
from server.captioning.image import jpeg_draft
from server.captioning.image.color import to_rgb
from server.captioning.image.decode import DEFAULT_MAX_PIXELS, load, load_upright, open_image
from server.captioning.image.orientation import SIDEWAYS, exif_transpose, transposition_of
from server.captioning.image.pillow_errors import ignore_pillow_warnings, translate_memory_error
from server.captioning.image.resize import Resizer
from server.captioning.model.manifest import ImageSettings


class PictureDecoder:
    """Decode picture files to upright RGB pixels of the model's size.

    With `exact_decode` the pixels equal those of transformers' image processor. Without it, large
    JPEGs are decoded at a fraction of their scale; `jpeg_draft.MARGIN` states how close that comes.
    Calls from several threads are safe. The decoder owns one thread, which `close` ends.
    """

    def __init__(
        self, target: ImageSettings, *, max_pixels: int = DEFAULT_MAX_PIXELS, exact_decode: bool
    ) -> None:
        self._size = (target.width, target.height)
        self._resampling = Image.Resampling(target.resample)
        self._max_pixels = max_pixels
        self._exact_decode = exact_decode
        self._resizer = Resizer(self._resampling)
        ignore_pillow_warnings()

    def __call__(self, data: bytes) -> Pixels:
        """Decode the first frame of a file to uint8 [height, width, 3].

        Raises UnsupportedImageFormat for a format that is not allowed, ImageTooLarge over the
        limits or where memory runs out, and UndecodableImage for a truncated or corrupt file.
        """
        with translate_memory_error(), open_image(data, self._max_pixels) as image:
            picture = None if self._exact_decode else self._decode_draft(image)
            if picture is None:
                picture = load_upright(image).resize(self._size, self._resampling)
            return np.asarray(picture)

    def close(self) -> None:
        """End the decoder's own thread. A closed decoder works on the calling thread alone."""
        self._resizer.close()

    def _decode_draft(self, image: ImageFile) -> Image.Image | None:
        """Decode a large JPEG at a fraction of its scale, and resize the rest of the way.

        Returns None, and leaves the image as it was, for other formats and for smaller JPEGs.
        """
        if image.format not in jpeg_draft.FORMATS:
            return None
        transposition = transposition_of(image)
        size = self._size[::-1] if transposition in SIDEWAYS else self._size
        box = jpeg_draft.draft(image, *size)
        if box is None:
            return None
        load(image)
        return exif_transpose(self._resizer.resize(to_rgb(image), size, box), transposition)
