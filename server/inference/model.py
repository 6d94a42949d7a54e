"""The interface of a caption model; server.captioning.captioner has the real one."""

from collections.abc import Sequence
from typing import Protocol

from server.captioning.arrays import Logits, Pixels
from server.captioning.caption import Caption
from server.captioning.generation.generation import Generation
from server.captioning.generation.types import GenerationRequest, Hypothesis
from server.captioning.model.encoder import EncodedImage
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions


class CaptionModel(Protocol):
    """A loaded model. `prefill`, `step` and `warm_up` belong to one thread at a time."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def digest(self) -> str:
        """SHA-256 of everything about the model that a caption depends on."""

    @property
    def threads(self) -> int:
        """How many threads the model computes with."""

    @property
    def exact_decode(self) -> bool:
        """Whether large JPEGs are decoded in full."""

    def resolve(self, prompt: str | None, options: GenerationOptions) -> GenerationRequest:
        """Tokenize the prompt, resolve the options. Raises PromptTooLong, OptionOutOfRange."""

    def find_encoded(self, image_digest: bytes) -> EncodedImage | None:
        """Look a picture up in the encoder cache. Any thread may call this."""

    def decode(self, image: bytes) -> Pixels:
        """Decode a picture file. Any thread may call this. Raises ImageError."""

    def prefill(
        self, image: Pixels | EncodedImage, image_digest: bytes, request: GenerationRequest
    ) -> Generation:
        """Encode the picture unless it is encoded, and begin its caption."""

    def step(self, generations: Sequence[Generation]) -> Sequence[Logits]:
        """Run one decoder step for all generations. Returns the logits of each."""

    def finish(self, hypothesis: Hypothesis) -> Caption:
        """Detokenize a finished sequence. Any thread may call this."""

    def continuation(self, caption: Caption, prompt: str | None) -> str:
        """Return the caption's text without its prompt. Any thread may call this."""

    def warm_up(self) -> None:
        """Do what would make the first caption slower than the following ones."""
