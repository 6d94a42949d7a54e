"""The pipelines by name.

Each is opened in a process of its own, so that it imports nothing but its own packages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.peers.pipeline import Pipeline
from benchmarks.project import read_manifest
from benchmarks.subjects import Subject

Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Peer:
    """`precision` is that of the weights, which selects the roofline of the pipeline.

    `prepare` writes the files that `open` reads, once; `open` loads the model for a number of
    threads. Both raise Unavailable, or ImportError for an absent package.
    """

    name: str
    precision: Precision
    open: Callable[[Subject, int], Pipeline]
    prepare: Callable[[Subject], None] = lambda subject: None


def _ours(precision: Literal["fp32", "int8"]) -> Peer:
    def prepare(subject: Subject) -> None:
        subject.directory(precision)

    def open_(subject: Subject, threads: int) -> Pipeline:
        from benchmarks.peers.ours import OnnxPipeline

        return OnnxPipeline(subject.directory(precision), threads)

    return Peer(f"ours-{precision}", precision, open_, prepare)


def _torch(name: str, precision: Literal["fp32", "bf16"]) -> Peer:
    def open_(subject: Subject, threads: int) -> Pipeline:
        checkpoint = subject.required_checkpoint(name)
        import torch

        from benchmarks.peers.torch_eager import TorchPipeline

        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        return TorchPipeline(checkpoint, threads, dtype)

    return Peer(name, precision, open_)


def _openvino(name: str, precision: Literal["fp32", "int8"], hint: Literal["f32", "bf16"]) -> Peer:
    def models(subject: Subject) -> Path:
        digest = read_manifest(subject.directory("fp32")).digest
        return subject.home / f"openvino-{digest[:12]}"

    def prepare(subject: Subject) -> None:
        if not models(subject).is_dir():
            from benchmarks.peers.openvino_pipeline import build

            manifest = read_manifest(subject.directory("fp32"))
            build(subject.required_checkpoint(name), manifest, models(subject))

    def open_(subject: Subject, threads: int) -> Pipeline:
        from benchmarks.peers.openvino_pipeline import OpenVinoPipeline

        manifest = read_manifest(subject.directory("fp32"))
        return OpenVinoPipeline(models(subject) / precision, manifest, threads, hint)

    return Peer(name, precision, open_, prepare)


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
    )
}
