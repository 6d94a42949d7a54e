"""Open and decode uploaded bytes within limits: bytes -> upright RGB picture."""

from io import BytesIO

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from server.captioning.errors import ImageTooLarge, UndecodableImage, UnsupportedImageFormat
from server.captioning.image.color import scale_transparent_color, to_rgb
from server.captioning.image.orientation import exif_transpose, transposition_of
from server.captioning.image.pillow_errors import (
    log_cause,
    translate_memory_error,
    translate_pillow_errors,
)

#: Pillow runs no parser outside this list. Multi-picture (MPO) files are opened as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

#: 200 MB decoded, as Pillow keeps 4 bytes a pixel. Putting transparency over white takes 3 times
#: that for a moment.
DEFAULT_MAX_PIXELS = 50_000_000

#: JPEG's own limit. The resampling kernel grows with the longest side, up to gigabytes for a
#: picture that is 1 pixel high and millions of pixels wide.
MAX_SIDE = 65_535


def decode(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Decode the first frame at its full size: upright, mode RGB.

    Raises UnsupportedImageFormat outside FORMATS, ImageTooLarge over the limits or where memory
    runs out, and UndecodableImage for a file that is truncated or corrupt.
    """
    with translate_memory_error(), open_image(data, max_pixels) as image:
        return load_upright(image)


def open_image(data: bytes, max_pixels: int) -> ImageFile:
    """Read the header only, and check the picture's size.

    Raises UnsupportedImageFormat, ImageTooLarge and UndecodableImage as `decode` does.
    """
    file = BytesIO(data)
    with translate_pillow_errors("open the file"):
        try:
            image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as exc:
            log_cause("open the file", exc)
            raise _unidentified(data) from exc
    _check_size(image.width, image.height, max_pixels)
    return image


def load(image: ImageFile) -> None:
    """Decode the pixels of an opened picture. Raises UndecodableImage."""
    with translate_pillow_errors(f"decode {image.format}"):
        image.load()


def load_upright(image: ImageFile) -> Image.Image:
    """Decode an opened picture at its full size: upright, mode RGB. Raises UndecodableImage."""
    scale_transparent_color(image)
    load(image)
    return to_rgb(exif_transpose(image, transposition_of(image)))


def _unidentified(data: bytes) -> UndecodableImage | UnsupportedImageFormat:
    """Tell a broken header from a format outside FORMATS. Pillow has loaded its plugins by now."""
    signatures = (Image.OPEN[name][1] for name in FORMATS)
    if any(accepts is not None and accepts(data[:16]) for accepts in signatures):
        return UndecodableImage("The picture's header is truncated or corrupt.")
    return UnsupportedImageFormat(
        f"The file is not a picture in a supported format ({', '.join(FORMATS)})."
    )


def _check_size(width: int, height: int, max_pixels: int) -> None:
    size = f"{width} x {height} pixels"
    if width * height > max_pixels:
        raise ImageTooLarge(f"The picture has {size}; at most {max_pixels} in all are accepted.")
    if max(width, height) > MAX_SIDE:
        raise ImageTooLarge(f"The picture has {size}; a side may have at most {MAX_SIDE}.")
    if min(width, height) < 1:
        raise UndecodableImage(f"The picture has {size}.")
