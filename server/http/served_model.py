"""The served model as listings of other APIs describe it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server.captioning.options import GenerationOptions
from server.inference.model import CaptionModel
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model and the names under which clients may find it.

    `names` begins with the model's own, aliases follow. `size` is that of its files in bytes.
    `new_tokens` is the greatest length of a caption without a prompt, unless a request sets one.
    """

    names: tuple[str, ...]
    digest: str
    precision: str
    size: int
    new_tokens: int
    loaded_at: datetime

    @classmethod
    def of(cls, model: CaptionModel, settings: Settings) -> "ServedModel":
        files = (Path(settings.model) / name for name in model.manifest.files)
        own_settings = model.resolve(None, GenerationOptions()).settings
        return cls(
            names=tuple(dict.fromkeys((model.manifest.name, *settings.model_alias))),
            digest=model.digest,
            precision=model.manifest.precision,
            size=sum(file.stat().st_size for file in files),
            # The sequence begins with a token that is no part of the caption.
            new_tokens=own_settings.max_length - 1,
            loaded_at=datetime.now(UTC),
        )

    def capped(self, new_tokens: int | None) -> int | None:
        """Return a request's limit of tokens, or None if it would not shorten a caption.

        Chat clients send limits in thousands, which say nothing about a caption. Left out, they
        share the cache entry of a request without a limit.
        """
        if new_tokens is None or not 1 <= new_tokens < self.new_tokens:
            return None
        return new_tokens
