"""Return memory to the system that loading a model leaves free in the C library's heap."""

import ctypes
from contextlib import suppress


def give_back_free_memory() -> None:
    """Return free memory to the system. Does nothing where the C library is not glibc.

    Parsing the graphs of base geometry leaves 30 to 100 MB free, which a server would keep for
    good. The rest stays as fast to read: of 380 MB, 300 MB are still in huge pages.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))
