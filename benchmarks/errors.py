"""Why a benchmark can't give figures. Each message is one line: the thing, and what to do about it.

BenchmarkError
├── ServerUnavailable
├── WrongAnswer
├── ModelUnavailable
├── PeerUnavailable
└── RecordError
"""


class BenchmarkError(Exception):
    """The base of every error a benchmark ends with on purpose."""


class ServerUnavailable(BenchmarkError):
    """Nothing answers where a server should, or it does not start."""


class WrongAnswer(BenchmarkError):
    """A server or a pipeline answers, but not what it was asked for: its speed means nothing."""


class ModelUnavailable(BenchmarkError):
    """The model to measure with is not on this machine in the form that is needed."""


class PeerUnavailable(BenchmarkError):
    """A pipeline to compare with lacks packages or files; the others can be measured without it."""


class RecordError(BenchmarkError):
    """A recorded run can't be read."""
