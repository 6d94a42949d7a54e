"""Decode large JPEGs at a fraction of their scale: faster, and close to the full decode.

The comment at MARGIN states how close.
"""

import math

from PIL.ImageFile import ImageFile

from server.captioning.image.pillow_errors import translate_pillow_errors

#: Multi-picture (MPO) files are JPEGs too.
FORMATS = ("JPEG", "MPO")

#: Least size of the decoded picture, in multiples of the target's. The table shows the distance
#: from the full decode, in 8-bit levels of the resized picture (one is 0.015 in pixel values), over
#: all fractions that leave the margin, for a target of 384 x 384. It shows the worst of five photos
#: enlarged to the size in question, and of black and white checks that end up about 2 pixels wide.
#:
#:     margin                1    1.25     1.5       2       3
#:     photos, mean        1.2     1.0     0.7     0.4     0.2
#:     photos, greatest     53      33      16      10       4
#:     checks, mean        4.6     4.6     3.4     1.5     0.9
#:     checks, greatest     28      32      20      11       6
#:
#: Decoding and resizing 4000 x 3000 pixels in 3.8 MB takes 94 ms in full, 40 ms at 1/2 and 33 ms
#: at 1/4. Entropy decoding takes 27 ms of these at every fraction. This margin is the greatest
#: multiple of 0.5 at which 12 megapixels are decoded at 1/4 for every aspect ratio up to 16:9.
MARGIN = 1.5

#: How many bytes Pillow reads from a file at a time: all of them, because they lie in memory.
WHOLE_FILE = 2**31 - 1

#: left, upper, right, lower in pixels; fractions of a pixel are allowed.
Box = tuple[float, float, float, float]


def draft(image: ImageFile, width: int, height: int) -> Box | None:
    """Switch an opened JPEG to the smallest scale that leaves MARGIN times `width` and `height`.

    libjpeg decodes at 1/2, 1/4 or 1/8 of the scale for less work. Returns the box that the picture
    takes of what load() will decode: where the fraction does not divide a side, the last pixels
    reach beyond the picture's edge. Returns None, and leaves the image as it was, where no fraction
    leaves the margin.
    """
    full_size = image.size
    with translate_pillow_errors("draft"):
        drafted = image.draft(None, (math.ceil(MARGIN * width), math.ceil(MARGIN * height)))
    if drafted is None or image.size == full_size:
        return None
    image.decodermaxblock = WHOLE_FILE
    _, box = drafted
    return box
