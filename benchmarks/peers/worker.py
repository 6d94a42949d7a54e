"""The pipelines by name, and the functions that run in the process of one of them.

A pipeline's module is imported in its own process alone, so that no other package is loaded there.
"""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Literal

from benchmarks.errors import Unavailable, WrongAnswer
from benchmarks.peers.pipeline import Pipeline
from benchmarks.processes import peak_memory
from benchmarks.rows import Captioned, Loaded
from benchmarks.subjects import Subject

Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Peer:
    """`precision` is that of the weights, which selects the roofline of the pipeline.

    `arithmetic` is the precision of OpenVINO's operators that are not int8.
    """

    runtime: Literal["ours", "torch", "openvino"]
    precision: Precision
    arithmetic: Literal["f32", "bf16"] = "f32"


PEERS = {
    "ours-fp32": Peer("ours", "fp32"),
    "ours-int8": Peer("ours", "int8"),
    "tutorial-torch": Peer("torch", "fp32"),
    "torch-bf16": Peer("torch", "bf16"),
    "openvino-fp32": Peer("openvino", "fp32"),
    "openvino-int8": Peer("openvino", "int8"),
    "openvino-int8-bf16": Peer("openvino", "int8", "bf16"),
}

#: The pipeline of this process, kept between calls from its parent.
_pipelines: dict[str, Pipeline] = {}


def prepare(name: str, subject: Subject) -> None:
    """Write the files that the pipeline reads, once. Raises Unavailable."""
    match PEERS[name]:
        case Peer("ours", precision):
            subject.directory(precision)
        case Peer("openvino"):
            try:
                from benchmarks.peers.openvino_pipeline import build

                build(subject)
            except ImportError as exc:
                raise _lacking(exc) from exc


def load(name: str, subject: Subject, threads: int, jpeg: bytes) -> Loaded:
    """Open the pipeline and caption once. Raises Unavailable."""
    began = perf_counter()
    try:
        _pipelines[name] = _open(name, subject, threads)
    except ImportError as exc:
        raise _lacking(exc) from exc
    _pipelines[name].caption(jpeg, 2)
    return Loaded(name, PEERS[name].precision, perf_counter() - began)


def caption(number: int, name: str, jpeg: bytes, tokens: int) -> Captioned:
    """Measure one caption. Raises WrongAnswer for an empty one, or one that is too long."""
    phases = _pipelines[name].caption(jpeg, tokens)
    if not 1 <= len(phases.token_ids) <= tokens:
        raise WrongAnswer(
            f"{name} generated {len(phases.token_ids)} tokens where 1 to {tokens} were asked for"
        )
    return Captioned(number, name, tokens, **asdict(phases), peak_bytes=peak_memory())


def _open(name: str, subject: Subject, threads: int) -> Pipeline:
    match PEERS[name]:
        case Peer("ours", precision):
            from benchmarks.peers.ours import OnnxPipeline

            return OnnxPipeline(subject.directory(precision), threads)
        case Peer("torch", precision):
            from benchmarks.peers.torch_eager import TorchPipeline

            checkpoint = subject.required_checkpoint(name)
            return TorchPipeline(checkpoint, threads, bf16=precision == "bf16")
        case Peer(_, precision, arithmetic):
            from benchmarks.peers.openvino_pipeline import OpenVinoPipeline

            return OpenVinoPipeline(subject, precision, threads, arithmetic)


def _lacking(exc: ImportError) -> Unavailable:
    return Unavailable(f"the package {exc.name} is not installed; pip install '.[bench]' has it")
