"""A captioner without a model, quick and steerable."""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from time import monotonic

from server.captioning.caption import Caption, Timings
from server.captioning.errors import (
    ImageTooLarge,
    PromptTooLong,
    UndecodableImage,
    UnsupportedImageFormat,
)
from server.captioning.model.manifest import (
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

#: Seconds until a captioner gives up on its gate, so that a test that fails does not hang.
PATIENCE = 30

#: Pictures, by how they begin, that fail as the real captioner's do.
FAILURES: dict[bytes, Exception] = {
    b"text": UnsupportedImageFormat("The file is no picture of a supported format."),
    b"cut": UndecodableImage("The picture is truncated."),
    b"bomb": ImageTooLarge("The picture has too many pixels."),
    b"defect": RuntimeError("a secret detail"),
}


@dataclass
class FakeCaptioner:
    """Says how many bytes the picture has.

    While `gate` is clear a caption does not come, unless it is cancelled. `started` and `stopped`
    are released once for each caption begun and each one cancelled.
    """

    manifest: Manifest = MANIFEST
    digest: str = "digest of a fake"
    threads: int = 1
    exact_decode: bool = False
    inferences: int = 0
    warm: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stopped: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.gate.set()

    def warm_up(self) -> None:
        self.warm = True

    def start(
        self, image: bytes, prompt: str | None, options: GenerationOptions
    ) -> Generator[None, None, Caption]:
        self.inferences += 1
        self.started.release()
        deadline = monotonic() + PATIENCE
        try:
            while not self.gate.wait(0.005):
                if monotonic() > deadline:
                    raise TimeoutError("The gate stayed shut.")
                yield
        except GeneratorExit:
            self.stopped.release()
            raise
        for beginning, failure in FAILURES.items():
            if image.startswith(beginning):
                raise failure
        if prompt is not None and len(prompt.split()) > 10:
            raise PromptTooLong(len(prompt.split()), 10)
        text = f"{prompt or ''} {len(image)} bytes".strip()
        return Caption(text, (30522, 7, 102), 0.75, "stop", Timings(0.001, 0.002, 0.003))

    def gather(self, wants: Sequence[None]) -> bool:
        return True

    def step(self, wants: Sequence[None]) -> Sequence[None]:
        return wants
