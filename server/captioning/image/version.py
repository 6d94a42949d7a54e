"""The version of the preprocessing, a part of the cache key. Importing it loads no Pillow."""

#: Raised whenever the same bytes come to give other pixel values.
PREPROCESSING_VERSION = 2
