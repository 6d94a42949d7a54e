"""The errors that end an export. Each message is one line: the thing, its value and a remedy.

ExportError
├── SourceError
├── PictureError
├── OutputError
├── QuantisationError
├── GraphMismatch
├── CaptionMismatch
├── CandidateRefused
└── PushError
"""


class ExportError(Exception):
    """The base of every error that the export raises on purpose."""


class SourceError(ExportError):
    """The checkpoint is missing, unreachable, malformed or not supported."""


class PictureError(ExportError):
    """The pictures for the verification are missing or unreadable."""


class OutputError(ExportError):
    """The model directory exists already or cannot be written."""


class QuantisationError(ExportError):
    """A layer to keep in fp32 is not in the graphs, or a graph is not as int8 needs it."""


class GraphMismatch(ExportError):
    """An exported graph computes other values than its torch module."""


class CaptionMismatch(ExportError):
    """The model directory gives other captions than transformers."""


class CandidateRefused(ExportError):
    """The int8 candidate differs too often from transformers. It lies beside OUTPUT."""


class PushError(ExportError):
    """A model directory can't be published, or the hub can't be reached."""
