"""A captioner without a model, quick and steerable, that fits server.pipeline.Captioner."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from server.captioning.captioner import Caption, Timings
from server.captioning.errors import (
    Cancelled,
    PromptTooLong,
    UndecodableImage,
    UnsupportedImageFormat,
)
from server.captioning.manifest import (
    SCHEMA_VERSION,
    DecoderShape,
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
    decoder=DecoderShape(1, 1, 1, 30524, 512),
    tokens=Tokens(30522, 101, 102, 0, True),
    generation=GenerationDefaults(20, 1, 1.0, 0, 1.0, False),
    files={},
    tools={},
    verification={},
)


@dataclass
class FakeCaptioner:
    """Says how many bytes the picture has, and fails for some pictures like the real one.

    `inferences` counts calls. While `gate` is cleared a call does not return, unless cancelled.
    """

    manifest: Manifest = MANIFEST
    digest: str = "d1"
    threads: int = 1
    inferences: int = 0
    cancellations: int = 0
    warm: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.gate.set()

    def warm_up(self) -> None:
        self.warm = True

    def caption(
        self,
        image: bytes,
        prompt: str | None,
        options: GenerationOptions,
        cancelled: Callable[[], bool],
    ) -> Caption:
        self.inferences += 1
        self.started.release()
        while not self.gate.wait(0.005):
            if cancelled():
                self.cancellations += 1
                raise Cancelled("nobody waits")
        if image.startswith(b"text"):
            raise UnsupportedImageFormat("The file is no supported image.")
        if image.startswith(b"cut"):
            raise UndecodableImage("The picture is truncated.")
        if image.startswith(b"defect"):
            raise RuntimeError("secret detail")
        if prompt is not None and len(prompt.split()) > 10:
            raise PromptTooLong(len(prompt.split()), 10)
        text = f"{prompt or ''}{len(image)} bytes, {options.num_beams} beams"
        return Caption(text, (30522, 7, 102), -0.25, "stop", Timings(0.001, 0.002, 0.003))
