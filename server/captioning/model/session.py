"""ONNX Runtime sessions, opened alike and checked against what their graph has to offer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from server.captioning.errors import ModelDirectoryError

#: kSameAsRequested of ONNX Runtime's ArenaExtendStrategy.
AS_REQUESTED = 1

Arrays = Mapping[str, NDArray[Any]]

FLOAT, INT8, INT32, INT64 = (f"tensor({name})" for name in ("float", "int8", "int32", "int64"))


@dataclass(frozen=True, slots=True)
class TensorType:
    """`dtype` as ONNX Runtime spells it; `shape` has None where an axis is dynamic."""

    dtype: str
    shape: tuple[int | None, ...]


Signature = Mapping[str, TensorType]


class Session:
    """One graph: named arrays in, arrays in the order of `outputs` out."""

    def __init__(self, path: Path, threads: int) -> None:
        """Raises ModelDirectoryError if the file is no graph."""
        _share_memory()
        try:
            self._session = onnxruntime.InferenceSession(
                path, _session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # The binding's exceptions have no common base but this.
            raise ModelDirectoryError(f"{path} can't be loaded: {exc}") from exc
        self._path = path
        self.outputs = _signature(self._session.get_outputs())

    def expect(self, inputs: Signature, outputs: Signature) -> None:
        """Have `outputs` in their own order from now on, whatever the graph's is.

        Raises ModelDirectoryError if the graph has other inputs or outputs.
        """
        _check(self._path, "input", inputs, _signature(self._session.get_inputs()))
        _check(self._path, "output", outputs, self.outputs)
        self.outputs = outputs

    def run(self, feeds: Arrays) -> list[NDArray[Any]]:
        return list(self._session.run(list(self.outputs), dict(feeds)))


def key_value_names(prefix: str, layers: int) -> list[str]:
    return [f"{prefix}.{layer}.{kind}" for layer in range(layers) for kind in ("key", "value")]


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins a moment for its next share of work needn't be woken: a decoder step at
    # base geometry takes 7.1 ms instead of 8.8. More than a moment would gain nothing, and take the
    # cores from others on a shared machine, or keep an idle server busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", "20")
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


@cache
def _share_memory() -> None:
    """One arena for all sessions and for good, which grows by no more than is asked of it.

    The decoder takes what the encoder is done with. At base geometry a server that has decoded 8
    captions together has 670 MB resident, where an arena a session, doubling, comes to 760.
    """
    arena = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    cpu = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, onnxruntime.OrtMemType.DEFAULT)
    as_requested = onnxruntime.OrtArenaCfg({"arena_extend_strategy": AS_REQUESTED})
    onnxruntime.create_and_register_allocator(cpu, as_requested)


def _signature(nodes: Iterable[Any]) -> Signature:
    return {
        node.name: TensorType(
            node.type, tuple(size if isinstance(size, int) else None for size in node.shape)
        )
        for node in nodes
    }


def _check(path: Path, what: str, expected: Signature, found: Signature) -> None:
    if found.keys() != expected.keys():
        names = sorted(found.keys() ^ expected.keys())
        raise ModelDirectoryError(f"{path} has other {what}s than its manifest implies: {names}")
    for name, tensor in expected.items():
        if not _fits(found[name], tensor):
            raise ModelDirectoryError(
                f"{path}: {what} {name} is {found[name].dtype} {list(found[name].shape)}, "
                f"its manifest implies {tensor.dtype} {list(tensor.shape)}"
            )


def _fits(found: TensorType, expected: TensorType) -> bool:
    """Whether types and ranks agree, and the sizes where both are definite."""
    return (found.dtype, len(found.shape)) == (expected.dtype, len(expected.shape)) and all(
        size == wanted or None in (size, wanted)
        for size, wanted in zip(found.shape, expected.shape, strict=True)
    )
