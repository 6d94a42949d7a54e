"""The pipelines to measure, by name.

Opened in processes of their own, which therefore import no more than the pipeline itself needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.errors import PeerUnavailable
from benchmarks.peers.pipeline import Pipeline
from benchmarks.subjects import Subject

Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Peer:
    """`precision` is that of the weights: it decides which floor a pipeline is held against.

    `prepare` makes and keeps what opening reads; `open` loads the model for so many threads. Both
    raise PeerUnavailable, ModelUnavailable, or ImportError for a package that is absent.
    """

    name: str
    precision: Precision
    open: Callable[[Subject, int], Pipeline]
    prepare: Callable[[Subject], None] = lambda subject: None


def _ours(precision: Literal["fp32", "int8"]) -> Peer:
    def open_(subject: Subject, threads: int) -> Pipeline:
        from benchmarks.peers.ours import OnnxPipeline

        return OnnxPipeline(subject.directory(precision), threads)

    return Peer(f"ours-{precision}", precision, open_)


def _torch(name: str, precision: Literal["fp32", "bf16"]) -> Peer:
    def open_(subject: Subject, threads: int) -> Pipeline:
        checkpoint = _checkpoint(subject)
        import torch

        from benchmarks.peers.torch_eager import TorchPipeline

        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        return TorchPipeline(checkpoint, threads, dtype)

    return Peer(name, precision, open_)


def _openvino(
    name: str,
    precision: Literal["fp32", "int8"],
    hint: Literal["f32", "bf16"],
    shape: Literal["split", "notebook"] = "split",
) -> Peer:
    def prepare(subject: Subject) -> None:
        output = subject.home / "openvino" / shape
        if not output.is_dir():
            checkpoint = _checkpoint(subject)
            from benchmarks.peers.openvino_models import build

            build(checkpoint, subject.manifest(), shape, output)

    def open_(subject: Subject, threads: int) -> Pipeline:
        from benchmarks.peers.openvino_runtime import OpenVinoPipeline

        directory = subject.home / "openvino" / shape / precision
        return OpenVinoPipeline(directory, subject.manifest(), threads, hint)

    return Peer(name, precision, open_, prepare)


def _checkpoint(subject: Subject) -> Path:
    if subject.checkpoint is None:
        raise PeerUnavailable(f"the transformers checkpoint of {subject.label} is not here")
    return subject.checkpoint


PEERS = {
    peer.name: peer
    for peer in (
        _ours("fp32"),
        _ours("int8"),
        _torch("tutorial-torch", "fp32"),
        _torch("torch-bf16", "bf16"),
        _openvino("openvino-fp32", "fp32", "f32"),
        _openvino("openvino-int8", "int8", "f32"),
        _openvino("openvino-int8-bf16", "int8", "bf16"),
        _openvino("openvino-notebook-int8", "int8", "bf16", "notebook"),
    )
}
