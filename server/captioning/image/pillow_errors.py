"""Translate the exceptions that Pillow raises on broken files.

Each list was measured with Pillow 13.0.0 on seeded mutations of files of every allowed format, and
completed from the sources of its plugins. An exception outside the lists is a defect.
"""

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL.Image import DecompressionBombError

from server.captioning.errors import ImageTooLarge, UndecodableImage

logger = logging.getLogger(__name__)

#: What opening, decoding or converting a broken file raises. ImageFile.__init__ lists the last five
#: as Pillow's own signs of broken data.
BROKEN_FILE = (
    OSError,  # every format: truncated data, a codec that fails
    SyntaxError,  # PNG chunks out of order, AVIF boxes that end too early
    ValueError,  # every format: sizes, modes or palettes that contradict each other
    OverflowError,  # TIFF offsets and palettes out of range
    ZeroDivisionError,  # an AVIF time scale of 0
    RuntimeError,  # libavif: planes that can't be decoded
    IndexError,  # a PNG color profile without its terminator
    TypeError,  # TIFF tags and PNG text chunks of another type than expected
    KeyError,
    EOFError,  # a WebP animation without its first frame
    struct.error,
)

#: What reading broken EXIF or XMP raises.
BROKEN_EXIF = (
    SyntaxError,  # no TIFF header
    ValueError,  # a PNG's "Raw profile type exif" that is not hexadecimal
    TypeError,  # a PNG text chunk where EXIF or XMP is expected
    struct.error,  # a header or a field that ends too early
)

#: How Pillow's codecs spell that memory ran out. They raise no MemoryError.
OUT_OF_MEMORY = ("out of memory", "decoder error -9")


@contextmanager
def translate_pillow_errors(call: str) -> Iterator[None]:
    """Wrap one call of Pillow, and nothing else: `call` names it in the log.

    Raises UndecodableImage for the exceptions in BROKEN_FILE, ImageTooLarge for Pillow's own limit
    on pixels, and MemoryError where a codec reports that memory ran out.
    """
    try:
        yield
    except DecompressionBombError as exc:
        raise ImageTooLarge("The picture has far more pixels than the limit.") from exc
    except BROKEN_FILE as exc:
        if any(spelling in str(exc).lower() for spelling in OUT_OF_MEMORY):
            raise MemoryError(str(exc)) from exc
        log_cause(call, exc)
        raise UndecodableImage("The picture is truncated or corrupt.") from exc


@contextmanager
def translate_memory_error() -> Iterator[None]:
    """Raise ImageTooLarge for a MemoryError, and log a warning: the operator can add memory."""
    try:
        yield
    except MemoryError as exc:
        logger.warning("Memory ran out while a picture was decoded; lower the limit on pixels.")
        raise ImageTooLarge("The picture needs more memory than the server has left.") from exc


def log_cause(call: str, exc: Exception) -> None:
    """Log at debug why a picture or its EXIF is refused; a message can quote a few bytes of it."""
    logger.debug("Pillow can't %s: %s: %.120r", call, type(exc).__name__, str(exc))


def ignore_pillow_warnings() -> None:
    """Ignore Pillow's warnings about odd files in the whole process.

    Their texts depend on the file, and Python would keep every text for good. A filter for one
    call is not possible: warnings.catch_warnings is not thread-safe, and two threads that leave it
    in the wrong order would leave all warnings of the process ignored.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
