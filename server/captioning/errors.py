"""What can go wrong between picture and caption.

CaptioningError
├── ModelDirectoryError
├── ImageError
│   ├── UnsupportedImageFormat
│   ├── UndecodableImage
│   └── ImageTooLarge
├── PromptTooLong
└── OptionOutOfRange

Each message is one sentence for a person, without object addresses or anything of the upload's own.
"""


class CaptioningError(Exception):
    """The base of every error this package raises on purpose."""


class ModelDirectoryError(CaptioningError):
    """A model directory is missing, malformed, altered, or not what its manifest says."""


class ImageError(CaptioningError):
    """The uploaded bytes give no picture."""


class UnsupportedImageFormat(ImageError):
    """The bytes are in none of the formats on the allow-list."""


class UndecodableImage(ImageError):
    """The format is supported, but the picture is truncated or corrupt."""


class ImageTooLarge(ImageError):
    """The picture has more pixels than the limit; found in its header, before any decoding."""


class PromptTooLong(CaptioningError):
    """The prompt leaves no room for a caption."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(
            f"The prompt takes {tokens} tokens and at most {limit} leave room for a caption; "
            "shorten the prompt."
        )
        self.tokens = tokens
        self.limit = limit


class OptionOutOfRange(CaptioningError):
    """A generation option lies outside its range."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"{name} is {value}; it has to be {allowed}.")
        self.name = name
        self.value = value
        self.allowed = allowed
