"""EXIF transpose: turn a picture upright as its EXIF orientation says."""

from PIL import ExifTags, Image
from PIL.Image import Transpose

from server.captioning.image.pillow_errors import BROKEN_EXIF, log_cause

#: EXIF orientation -> the transposition that makes the stored picture upright (EXIF 2.3, 0x0112).
TRANSPOSITIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

#: The transpositions that swap width and height.
SIDEWAYS = frozenset(
    (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)
)


def transposition_of(image: Image.Image) -> Transpose | None:
    """Return the transposition that makes the picture upright, or None where none is needed.

    Broken EXIF is no reason to refuse a good picture: it counts as no orientation.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except BROKEN_EXIF as exc:
        log_cause("read EXIF", exc)
        return None
    return TRANSPOSITIONS.get(orientation) if isinstance(orientation, int) else None


def exif_transpose(image: Image.Image, transposition: Transpose | None) -> Image.Image:
    """Return the upright picture; the same object where `transposition` is None."""
    return image if transposition is None else image.transpose(transposition)
