"""Open ONNX Runtime sessions, and check the inputs and outputs of their graphs."""

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
    """The type of an input or output. `dtype` is ONNX Runtime's name; a dynamic axis is None."""

    dtype: str
    shape: tuple[int | None, ...]


Signature = Mapping[str, TensorType]


class Session:
    """Run one graph: named arrays in, arrays in the order of `outputs` out."""

    def __init__(self, path: Path, threads: int) -> None:
        """Load a graph. Raises ModelDirectoryError if the file is not an ONNX graph."""
        _share_memory()
        try:
            self._session = onnxruntime.InferenceSession(
                path, _session_options(threads), providers=["CPUExecutionProvider"]
            )
        # The exceptions of the binding have no other base class in common.
        except Exception as exc:
            raise ModelDirectoryError(f"{path} can't be loaded: {exc}") from exc
        self._path = path
        self.outputs = _signature(self._session.get_outputs())

    def expect(self, inputs: Signature, outputs: Signature) -> None:
        """Check the graph's inputs and outputs, and return outputs in the order given from now on.

        Raises ModelDirectoryError if the graph has other names, types or shapes.
        """
        _check(self._path, "input", inputs, _signature(self._session.get_inputs()))
        _check(self._path, "output", outputs, self.outputs)
        self.outputs = outputs

    def run(self, feeds: Arrays) -> list[NDArray[Any]]:
        """Run the graph on inputs by name; return its outputs in the order of `outputs`."""
        return list(self._session.run(list(self.outputs), dict(feeds)))


def key_value_names(prefix: str, layers: int) -> list[str]:
    """Return the names of the keys and values of each layer, in the order of the KV cache."""
    return [f"{prefix}.{layer}.{kind}" for layer in range(layers) for kind in ("key", "value")]


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins 20 us for its next task needn't be woken: a decoder step at base geometry
    # takes 7.1 ms instead of 8.8. Longer spinning gains nothing, takes the cores from other
    # processes, and keeps an idle server busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", "20")
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


@cache
def _share_memory() -> None:
    """Create one arena for all sessions, once, which grows by the size of each request.

    The decoder reuses the memory that the encoder has released. After 8 captions in one batch, a
    server at base geometry has 670 MB resident. With an arena for each session that doubles it
    would be 760 MB.
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
    """Whether type and rank are equal, and every size that neither side leaves open."""
    return (found.dtype, len(found.shape)) == (expected.dtype, len(expected.shape)) and all(
        size == wanted or None in (size, wanted)
        for size, wanted in zip(found.shape, expected.shape, strict=True)
    )
