"""EXIF orientation: how a picture is stored, and what turns it upright."""

from PIL import ExifTags, Image
from PIL.Image import Transpose

#: EXIF orientation -> what turns the stored picture upright (EXIF 2.3, tag 0x0112).
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

#: The ones that swap width and height.
SIDEWAYS = frozenset(
    (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)
)


def turn_of(image: Image.Image) -> Transpose | None:
    """What turns the picture upright; None where it lies so, or nothing valid is said."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Broken EXIF is no reason to refuse a good picture.
        return None
    return UPRIGHT.get(orientation) if isinstance(orientation, int) else None


def exif_transpose(image: Image.Image, turn: Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)
