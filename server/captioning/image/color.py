"""Convert every mode that Pillow decodes to RGB."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from server.captioning.errors import UndecodableImage
from server.captioning.image.pillow_errors import translate_pillow_errors

#: Modes deeper than 8 bits, and the values that can mean white in them. The formats don't say which
#: one it is: white is the first value that no pixel exceeds.
WHITES: Mapping[str, tuple[float, ...]] = {
    "I;16": (65535,),
    "I;16B": (65535,),
    "I;16L": (65535,),
    "I;16N": (65535,),
    "I": (255, 65535),
    "F": (1, 255, 65535),
}

#: Raw mode of a PNG whose samples are not 8 bits deep -> how Pillow converts one sample.
SAMPLE_TO_8_BITS: Mapping[object, Callable[[int], int]] = {
    "L;2": lambda sample: (sample & 3) * 85,
    "L;4": lambda sample: (sample & 15) * 17,
    "RGB;16B": lambda sample: sample >> 8,
}


def scale_transparent_color(image: Image.Image) -> None:
    """Scale the transparent color of a PNG to 8 bits, as its pixels will be; call it before load().

    Pillow leaves this color as the file has it. Of 16-bit samples Pillow keeps the upper 8 bits, so
    colors next to the transparent one become transparent too.
    """
    if not isinstance(image, PngImageFile) or not image.tile:
        return
    to_8_bits = SAMPLE_TO_8_BITS.get(image.tile[0].args)
    transparent = image.info.get("transparency")
    if to_8_bits is None:
        return
    # A text chunk named "transparency" gives a str here.
    if isinstance(transparent, int):
        image.info["transparency"] = to_8_bits(transparent)
    elif isinstance(transparent, tuple):
        image.info["transparency"] = tuple(to_8_bits(sample) for sample in transparent)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture to mode RGB: scale its depth to 8 bits, put transparency over white.

    Raises UndecodableImage where the palette or the transparent color contradicts the mode.
    """
    if image.mode == "P" and image.palette is None:
        raise UndecodableImage("The picture has no palette.")
    if image.mode in WHITES:
        image = _to_8_bits(image)
    if image.has_transparency_data:
        return _over_white(image)
    # A conversion to the same mode is a copy, which takes long for a large picture.
    return image if image.mode == "RGB" else _convert(image, "RGB")


def _over_white(image: Image.Image) -> Image.Image:
    translucent = _convert(image, "RGBA")
    canvas = Image.new("RGB", translucent.size, "white")
    canvas.paste(translucent, mask=translucent)
    return canvas


def _convert(image: Image.Image, mode: str) -> Image.Image:
    with translate_pillow_errors(f"convert to {mode}"):
        return image.convert(mode)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale to mode L or LA. Pillow's own conversion would clip every value above 255 to white."""
    values = np.asarray(image)
    gray = Image.fromarray(_scale(values.astype(np.float32), WHITES[image.mode]))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return gray


def _scale(values: NDArray[np.float32], whites: tuple[float, ...]) -> NDArray[np.uint8]:
    """Scale to 0..255: from zero to the first white that fits, else from least to greatest value.

    `values` is overwritten: a picture at the pixel limit takes 200 MB as float32.
    """
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=whites[0]))
    high = float(values.max(where=finite, initial=0))
    if low >= 0 and high <= whites[-1]:
        low, high = 0.0, next(white for white in whites if high <= white)
    np.clip(values, low, high, out=values)
    # Near the limits of float32 both steps can overflow to infinity, or to NaN from 0 * infinity.
    with np.errstate(over="ignore", invalid="ignore"):
        values -= low
        values *= 255 / (high - low)
    return np.nan_to_num(np.rint(values, out=values), copy=False, posinf=255).astype(np.uint8)
