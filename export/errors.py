"""Why an export does not happen. Each message is one line: the thing, and what to do about it.

ExportError
├── SourceError
├── PictureError
├── OutputError
├── QuantisationError
├── GraphMismatch
└── CaptionMismatch
"""


class ExportError(Exception):
    """The base of every error an export ends with on purpose."""


class SourceError(ExportError):
    """The checkpoint is missing, unreachable, malformed or of another architecture."""


class PictureError(ExportError):
    """The pictures to verify with are missing or unreadable."""


class OutputError(ExportError):
    """The model directory exists already or cannot be written."""


class QuantisationError(ExportError):
    """A layer to keep in fp32 is not in the graphs, or a graph is not as int8 needs it."""


class GraphMismatch(ExportError):
    """An exported graph does not compute what its torch module computes."""


class CaptionMismatch(ExportError):
    """The model directory does not give the captions that transformers gives."""
