"""A caption model without a graph, quick and steerable."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from server.captioning.arrays import Logits, Pixels
from server.captioning.caption import Caption
from server.captioning.errors import (
    ImageTooLarge,
    PromptTooLong,
    UndecodableImage,
    UnsupportedImageFormat,
)
from server.captioning.generation.generation import Generation
from server.captioning.generation.settings import resolve_settings
from server.captioning.generation.types import DecoderInput, GenerationRequest, Hypothesis
from server.captioning.model.encoder import EncodedImage
from server.captioning.model.manifest import (
    SCHEMA_VERSION,
    DecoderShape,
    EncoderShape,
    GenerationDefaults,
    ImageSettings,
    Manifest,
    Tokens,
)
from server.captioning.options import GenerationOptions

MANIFEST = Manifest(
    schema_version=SCHEMA_VERSION,
    name="fake",
    source="tests",
    revision=None,
    precision="fp32",
    opset=18,
    image=ImageSettings(8, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1 / 255, 3),
    encoder=EncoderShape(1, 1),
    decoder=DecoderShape(1, 1, 1, 30524, 512),
    tokens=Tokens(30522, 101, 102, 0, True),
    generation=GenerationDefaults(20, 1, 1.0, 0, 1.0, False),
    files={},
    tools={},
    verification={},
)

#: Seconds until a caption gives up on its gate, so that a test that fails does not hang.
PATIENCE = 30

#: Pictures, by their first bytes, that fail as they do with the real model.
FAILURES: dict[bytes, Exception] = {
    b"text": UnsupportedImageFormat("The file is no picture of a supported format."),
    b"cut": UndecodableImage("The picture is truncated."),
    b"bomb": ImageTooLarge("The picture has too many pixels."),
    b"defect": RuntimeError("a secret detail"),
}


class GatedSearch:
    """A search that finishes with the first step after the model's gate opens."""

    def __init__(self, model: "FakeModel", hypothesis: Hypothesis) -> None:
        self._model = model
        self._hypothesis = hypothesis
        self._deadline = monotonic() + PATIENCE
        self.decoder_input = DecoderInput.of_prompt((0,))
        self.finished: Hypothesis | None = None

    def advance(self, logits: Logits) -> None:
        if monotonic() > self._deadline:
            raise TimeoutError("The gate stayed shut.")
        if self._model.is_open:
            self.finished = self._hypothesis

    def __del__(self) -> None:
        if self.finished is None:
            self._model.stopped.release()


@dataclass
class FakeModel:
    """Captions a picture with its number of bytes.

    While `gate` is clear no caption finishes. `started` is released once for each caption that
    begins, `stopped` once for each that is dropped before its end.
    """

    manifest: Manifest = MANIFEST
    digest: str = "digest of a fake"
    threads: int = 1
    exact_decode: bool = False
    inferences: int = 0
    is_open: bool = True
    warm: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.gate.set()

    def warm_up(self) -> None:
        self.warm = True

    def resolve(self, prompt: str | None, options: GenerationOptions) -> GenerationRequest:
        """Take each character of a prompt for a token."""
        if prompt is not None and len(prompt.split()) > 10:
            raise PromptTooLong(len(prompt.split()), 10)
        return GenerationRequest(
            tuple(map(ord, prompt or "")), resolve_settings(1, options, self.manifest)
        )

    def find_encoded(self, image_digest: bytes) -> EncodedImage | None:
        return None

    def decode(self, image: bytes) -> Pixels:
        """Return as many rows of pixels as the file has bytes, without using memory for them."""
        self.inferences += 1
        for beginning, failure in FAILURES.items():
            if image.startswith(beginning):
                raise failure
        return np.broadcast_to(np.uint8(0), (len(image), 1, 3))

    def prefill(
        self, image: Pixels | EncodedImage, image_digest: bytes, request: GenerationRequest
    ) -> Generation:
        self.started.release()
        assert not isinstance(image, EncodedImage)
        token_ids = (*request.prompt_ids, len(image), 102)
        search = GatedSearch(self, Hypothesis(token_ids, (-0.25,), np.float32(0)))
        return Generation(EncodedImage(()), search, [], request.settings.num_beams)

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        self.is_open = self.gate.wait(0.005)
        return [np.zeros((1, 1), np.float32)] * len(generations)

    def finish(self, hypothesis: Hypothesis) -> Caption:
        *prompt, size, _ = hypothesis.token_ids
        text = f"{''.join(map(chr, prompt))} {size} bytes".strip()
        return Caption(text, hypothesis.token_ids, 0.75, "stop")

    def continuation(self, caption: Caption, prompt: str | None) -> str:
        return caption.text.removeprefix(prompt or "").strip()
