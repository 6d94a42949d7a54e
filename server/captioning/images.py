"""Uploaded bytes -> the upright RGB picture a person sees, within limits."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError, Transpose

from server.captioning.colours import to_rgb
from server.captioning.errors import (
    CaptioningError,
    ImageTooLarge,
    UndecodableImage,
    UnsupportedImageFormat,
)

#: Part of the cache key: raise it when the same bytes come to give another tensor.
PREPROCESSING_VERSION = 1

#: Pillow reaches no parser outside this list. Multi-picture (MPO) files are JPEGs to it.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

#: 200 MB decoded, as Pillow keeps four bytes a pixel; three times that while alpha goes over white.
DEFAULT_MAX_PIXELS = 50_000_000

#: JPEG's own limit. The resampling kernel grows with the longest side, to gigabytes for a picture
#: that is one pixel high and millions wide.
MAX_SIDE = 65_535

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


def decode(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """The first frame, upright, in mode RGB.

    Raises UnsupportedImageFormat outside FORMATS, ImageTooLarge before any decoding, and
    UndecodableImage for a file that is truncated or corrupt.
    """
    with _pillow(), _open(data, max_pixels) as image:
        image.load()
        return to_rgb(_upright(image))


@contextmanager
def _pillow() -> Iterator[None]:
    """The boundary to Pillow, which raises nearly every exception there is on a broken file."""
    # Not thread-safe, and harmless so: at worst another thread's warning is lost.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except CaptioningError:
            raise
        except DecompressionBombError as exc:
            raise ImageTooLarge("The picture has far more pixels than the limit.") from exc
        except Exception as exc:
            raise UndecodableImage("The picture is truncated or corrupt.") from exc


def _open(data: bytes, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as exc:
        if _is_of_a_supported_format(data):
            raise UndecodableImage("The picture's header is truncated or corrupt.") from exc
        raise UnsupportedImageFormat(
            f"The file is no picture in a supported format ({', '.join(FORMATS)})."
        ) from exc
    _check_size(image.width, image.height, max_pixels)
    return image


def _is_of_a_supported_format(data: bytes) -> bool:
    """Whether the file starts as one of FORMATS does. Pillow has its plugins loaded by now."""
    signatures = (Image.OPEN[name][1] for name in FORMATS)
    return any(accepts is not None and accepts(data[:16]) for accepts in signatures)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    size = f"{width} x {height} pixels"
    if width * height > max_pixels:
        raise ImageTooLarge(f"The picture has {size}; at most {max_pixels} in all are accepted.")
    if max(width, height) > MAX_SIDE:
        raise ImageTooLarge(f"The picture has {size}; a side may have at most {MAX_SIDE}.")
    if min(width, height) < 1:
        raise UndecodableImage(f"The picture has {size}.")


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Broken EXIF is no reason to refuse a good picture.
        return image
    turn = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)
