"""The version of preprocessing.

This module does not import Pillow, because the cache key needs only the number.
"""

#: A part of the cache key. Raise it when the same file gives other pixel values than before.
PREPROCESSING_VERSION = 2
