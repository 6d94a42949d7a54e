"""The libraries' running commentary, kept off the terminal."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnxruntime  # type: ignore[import-untyped]
import optimum.utils.logging as optimum_logging  # type: ignore[import-untyped]
import transformers.utils.logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """What matters among it, such as numbers out of tolerance, is raised as an error too."""
    before = transformers_logging.get_verbosity(), optimum_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.CRITICAL)
    optimum_logging.set_verbosity(logging.CRITICAL)
    onnxruntime.set_default_logger_severity(3)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(before[0])
        optimum_logging.set_verbosity(before[1])
