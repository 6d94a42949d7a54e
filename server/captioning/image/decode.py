"""Uploaded bytes -> the upright RGB picture a person sees, within limits."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError
from PIL.ImageFile import ImageFile

from server.captioning.errors import (
    CaptioningError,
    ImageTooLarge,
    UndecodableImage,
    UnsupportedImageFormat,
)
from server.captioning.image.color import scale_transparent_colour, to_rgb
from server.captioning.image.jpeg_draft import draft
from server.captioning.image.orientation import exif_transpose, turn_of
from server.captioning.model.manifest import ImageSettings

#: Pillow reaches no parser outside this list. Multi-picture (MPO) files are JPEGs to it.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

#: 200 MB decoded, as Pillow keeps four bytes a pixel; three times that while alpha goes over white.
DEFAULT_MAX_PIXELS = 50_000_000

#: JPEG's own limit. The resampling kernel grows with the longest side, to gigabytes for a picture
#: that is one pixel high and millions wide.
MAX_SIDE = 65_535


def decode(
    data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS, draft_for: ImageSettings | None = None
) -> Image.Image:
    """The first frame, upright, in mode RGB.

    With `draft_for`, a JPEG far larger than that comes in that size, from a decode at a fraction of
    its scale; server.captioning.image.jpeg_draft says how close it is.

    Raises UnsupportedImageFormat outside FORMATS, ImageTooLarge before any decoding, and
    UndecodableImage for a file that is truncated or corrupt.
    """
    with _pillow(), _open(data, max_pixels) as image:
        if draft_for and (drafted := draft(image, draft_for)):
            return drafted
        scale_transparent_colour(image)
        image.load()
        return to_rgb(exif_transpose(image, turn_of(image)))


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


def _open(data: bytes, max_pixels: int) -> ImageFile:
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
