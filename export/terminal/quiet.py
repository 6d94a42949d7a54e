"""Silence the log messages and warnings of transformers, Optimum and ONNX Runtime."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnxruntime  # type: ignore[import-untyped]
import optimum.utils.logging as optimum_logging  # type: ignore[import-untyped]
import transformers.utils.logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries within the block. Their errors are still raised as exceptions."""
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
