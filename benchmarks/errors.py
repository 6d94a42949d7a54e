"""Errors that end a benchmark with one line: the thing, the value and the remedy."""


class BenchmarkError(Exception):
    """Base class of the errors that a benchmark raises on purpose."""


class Unavailable(BenchmarkError):
    """A server, model, package, checkout or record is not here in the required form."""


class WrongAnswer(BenchmarkError):
    """A server or a pipeline returned something else than the expected caption."""
