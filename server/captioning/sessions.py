"""ONNX Runtime sessions, opened alike and checked against what their graph has to offer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from server.captioning.errors import ModelDirectoryError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TensorType:
    """`dtype` as ONNX Runtime spells it; `shape` has None where an axis is dynamic."""

    dtype: Literal["tensor(float)", "tensor(int64)"]
    shape: tuple[int | None, ...]


Signature = Mapping[str, TensorType]


class Session:
    """One graph: named arrays in, arrays in the order of its signature out."""

    def __init__(self, path: Path, inputs: Signature, outputs: Signature, threads: int) -> None:
        """Raises ModelDirectoryError if the file is no graph with these inputs and outputs."""
        try:
            self._session = onnxruntime.InferenceSession(
                path, _session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # The binding's exceptions have no common base but this.
            raise ModelDirectoryError(f"{path} can't be loaded: {exc}") from exc
        _check(path, "input", inputs, self._session.get_inputs())
        _check(path, "output", outputs, self._session.get_outputs())
        self._outputs = list(outputs)

    def run(self, feeds: Arrays) -> list[NDArray[Any]]:
        return list(self._session.run(self._outputs, dict(feeds)))


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
    return options


def _check(path: Path, what: str, expected: Signature, found: list[Any]) -> None:
    by_name = {node.name: node for node in found}
    if by_name.keys() != expected.keys():
        names = sorted(by_name.keys() ^ expected.keys())
        raise ModelDirectoryError(f"{path} has other {what}s than its manifest implies: {names}")
    for name, tensor in expected.items():
        node = by_name[name]
        if node.type != tensor.dtype or not _fits(node.shape, tensor.shape):
            raise ModelDirectoryError(
                f"{path}: {what} {name} is {node.type} {node.shape}, its manifest implies "
                f"{tensor.dtype} {list(tensor.shape)}"
            )


def _fits(found: list[int | str | None], expected: tuple[int | None, ...]) -> bool:
    """Whether the ranks agree, and the sizes where both are definite: exporters leave some open."""
    return len(found) == len(expected) and all(
        size == wanted or wanted is None or not isinstance(size, int)
        for size, wanted in zip(found, expected, strict=True)
    )
