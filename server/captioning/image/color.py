"""Any mode Pillow decodes to -> RGB, as a person sees the picture."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

#: Modes deeper than eight bits, and the values that can be white in them. The formats don't say
#: which it is: the first that no pixel exceeds.
WHITES: dict[str, tuple[float, ...]] = {
    "I;16": (65535,),
    "I;16B": (65535,),
    "I;16L": (65535,),
    "I;16N": (65535,),
    "I": (255, 65535),
    "F": (1, 255, 65535),
}

#: How Pillow decodes samples of a PNG that have not eight bits -> what it makes of one.
DECODED: Mapping[object, Callable[[int], int]] = {
    "L;2": lambda sample: (sample & 3) * 85,
    "L;4": lambda sample: (sample & 15) * 17,
    "RGB;16B": lambda sample: sample >> 8,
}


def scale_transparent_colour(image: Image.Image) -> None:
    """Put the colour that a PNG has transparent on the scale of its pixels; before they are loaded.

    Pillow leaves it on the file's own. Of sixteen bits a colour Pillow's pixels keep the upper
    eight, so that colours next to the transparent one go with it.
    """
    transparent = image.info.get("transparency")
    if transparent is None or not isinstance(image, PngImageFile):
        return
    decoded = DECODED.get(image.tile[0].args)
    if decoded is not None:
        image.info["transparency"] = (
            decoded(transparent)
            if isinstance(transparent, int)
            else tuple(decoded(sample) for sample in transparent)
        )


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB: depth scaled to eight bits, transparency over white."""
    if image.mode in WHITES:
        image = _to_eight_bits(image)
    if image.has_transparency_data:
        image = _over_white(image)
    # A conversion to the same mode is a copy, and a large picture's is felt.
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    translucent = image.convert("RGBA")
    canvas = Image.new("RGB", translucent.size, "white")
    canvas.paste(translucent, mask=translucent)
    return canvas


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion clips everything above 255 to white."""
    values = np.asarray(image)
    grey = Image.fromarray(_scale(values.astype(np.float32), WHITES[image.mode]))
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _scale(values: NDArray[np.float32], whites: tuple[float, ...]) -> NDArray[np.uint8]:
    """To 0..255: from zero to the first fitting white, else as viewers do from least to most."""
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=whites[0]))
    high = float(values.max(where=finite, initial=0))
    if low >= 0 and high <= whites[-1]:
        low, high = 0.0, next(white for white in whites if high <= white)
    # In place: a picture at the pixel limit takes 200 MB as float32.
    np.clip(values, low, high, out=values)
    values -= low
    values *= 255 / (high - low)
    return np.nan_to_num(np.rint(values, out=values), copy=False).astype(np.uint8)
