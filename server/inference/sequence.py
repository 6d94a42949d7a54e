"""One caption on its way through the batcher."""

from concurrent.futures import CancelledError, Future
from time import perf_counter

from server.captioning.arrays import Logits, Pixels
from server.captioning.generation.generation import Generation
from server.captioning.generation.types import GenerationRequest, Hypothesis
from server.captioning.model.encoder import EncodedImage
from server.inference.model import CaptionModel
from server.inference.phases import Phase


class Sequence:
    """A state machine: waiting, then running after `prefill`, then finished.

    The batcher's thread advances it; `future` tells the event loop how it finished: with a
    hypothesis, an exception, or cancelled. `slots` is the number of batch slots that it takes.
    `phases` holds the seconds of each finished phase: queue, encode, decode.
    """

    def __init__(
        self,
        image: Pixels | EncodedImage,
        image_digest: bytes,
        request: GenerationRequest,
        slots: int = 1,
    ) -> None:
        self.slots = slots
        self.future: Future[Hypothesis] = Future()
        self.abandoned = False
        self.has_stepped = False
        self.phases: dict[Phase, float] = {}
        self._input: tuple[Pixels | EncodedImage, bytes, GenerationRequest] | None
        self._input = (image, image_digest, request)
        self._generation: Generation | None = None
        self._phase_began = perf_counter()

    @property
    def finished(self) -> bool:
        return self.future.done()

    @property
    def generation(self) -> Generation:
        """What the model keeps of a running sequence."""
        assert self._generation is not None, "the sequence is not running"
        return self._generation

    def prefill(self, model: CaptionModel) -> None:
        """Encode the picture: waiting -> running, or finished if the model raises."""
        if not self.future.set_running_or_notify_cancel():
            return
        assert self._input is not None, "the sequence was prefilled before"
        self._end_phase("queue")
        try:
            self._generation = model.prefill(*self._input)
        except Exception as exc:
            self.fail(exc)
        self._input = None  # The picture is large, and the future may outlive this step.
        self._end_phase("encode")

    def advance(self, logits: Logits) -> None:
        """Take the logits of a step: running -> running or finished."""
        self.has_stepped = True
        try:
            self.generation.advance(logits)
        except Exception as exc:
            self.fail(exc)
            return
        if (hypothesis := self.generation.finished) is not None:
            self._generation = None
            self._end_phase("decode")
            self.future.set_result(hypothesis)

    def stop_if_abandoned(self) -> None:
        """Finish a sequence that no client waits for."""
        if self.abandoned:
            self.fail(CancelledError())

    def fail(self, exc: BaseException) -> None:
        """Finish with an exception, in any state."""
        self._generation = self._input = None
        if not self.future.done():
            self.future.set_exception(exc)

    def _end_phase(self, name: Phase) -> None:
        now = perf_counter()
        self.phases[name] = now - self._phase_began
        self._phase_began = now
