"""The errors that captioning raises on purpose.

CaptioningError
├── ModelDirectoryError
│   └── AlteredFile
├── ImageError
│   ├── UnsupportedImageFormat
│   ├── UndecodableImage
│   └── ImageTooLarge
├── PromptTooLong
└── OptionOutOfRange

Each message is one sentence for a person. It contains no object address and no bytes of the upload.
Any other exception is a defect.
"""

from pathlib import Path


class CaptioningError(Exception):
    """The base class of every error that this package raises on purpose."""


class ModelDirectoryError(CaptioningError):
    """A model directory is missing, malformed or altered, or does not match its manifest."""


class AlteredFile(ModelDirectoryError):
    """The file at `path` has another digest than its manifest lists."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not the file that its manifest lists: its SHA-256 differs; "
            "restore it or export the checkpoint again."
        )
        self.path = path


class ImageError(CaptioningError):
    """The uploaded bytes give no picture that can be captioned."""


class UnsupportedImageFormat(ImageError):
    """The bytes are not in a format of the allow-list."""


class UndecodableImage(ImageError):
    """The format is supported, but the picture is truncated or corrupt."""


class ImageTooLarge(ImageError):
    """The picture has more pixels than the limit, or decoding it takes more memory than there is.

    The limit is checked against the header, before any pixel is decoded.
    """


class PromptTooLong(CaptioningError):
    """The prompt takes `tokens` tokens, and at most `limit` leave room for a caption."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(
            f"The prompt takes {tokens} tokens and at most {limit} leave room for a caption; "
            "shorten the prompt."
        )
        self.tokens = tokens
        self.limit = limit


class OptionOutOfRange(CaptioningError):
    """The generation option `name` has a value outside its allowed range."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} is {value}; it has to be {allowed}.")
        self.name = name
        self.value = value
        self.allowed = allowed
