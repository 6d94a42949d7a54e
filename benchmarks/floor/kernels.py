"""How fast this machine is at what captioning consists of: its floor."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from benchmarks.rows import Kernel, MachineRate

#: A layer of BLIP-base's encoder: tokens by hidden units by the feed-forward's units.
ROWS, INNER, COLUMNS = 577, 768, 3072
OPERATIONS = 2.0 * ROWS * INNER * COLUMNS
#: More than any cache holds.
READ_BYTES = 256 * 2**20
SECONDS = 0.2


#: What this process holds between calls from its parent.
_kernels: "list[Kernels]" = []


def open_kernels(threads: int) -> None:
    _kernels.append(Kernels(threads))


def measure_kernels(number: int) -> list[MachineRate]:
    """One row a kernel of a round, in the process that opened them."""
    (kernels,) = _kernels
    return [MachineRate(number, name, rate) for name, rate in kernels.measure()]


class Kernels:
    """Ready to be measured again and again."""

    def __init__(self, threads: int) -> None:
        rng = np.random.default_rng(0)
        left = rng.standard_normal((ROWS, INNER), dtype=np.float32)
        right = rng.standard_normal((INNER, COLUMNS), dtype=np.float32)
        self._kernels: dict[Kernel, Callable[[], float]] = {
            "sgemm": _gemm("MatMul", left, right, threads),
            "int8 gemm": _gemm(
                "MatMulInteger", (left * 40 + 128).astype(np.uint8), right.astype(np.int8), threads
            ),
            "memory read": _reader(threads),
        }
        if bf16 := _bf16_gemm(left, right, threads):
            self._kernels["bf16 gemm"] = bf16

    def measure(self) -> Iterator[tuple[Kernel, float]]:
        """Each kernel's best rate over a fraction of a second, operations or bytes a second.

        The best, for this is to be what the machine can do and not what it did.
        """
        for name, run in self._kernels.items():
            rates = [run()]
            end = perf_counter() + SECONDS
            while perf_counter() < end:
                rates.append(run())
            yield name, max(rates)


def _gemm(operator: str, left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], float]:
    """By ONNX Runtime, whose kernels are as good as any here."""
    kinds = {"MatMul": TensorProto.FLOAT, "MatMulInteger": TensorProto.UINT8}
    output = TensorProto.FLOAT if operator == "MatMul" else TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        operator,
        [helper.make_tensor_value_info("left", kinds[operator], left.shape)],
        [helper.make_tensor_value_info("product", output, (ROWS, COLUMNS))],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return _timed(lambda: session.run(None, {"left": left}), OPERATIONS)


def _bf16_gemm(left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], float] | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    a, b = (torch.from_numpy(each).to(torch.bfloat16) for each in (left, right))
    return _timed(lambda: a @ b, OPERATIONS)


def _reader(threads: int) -> Callable[[], float]:
    """The greatest of many integers: one vector instruction a cache line, so memory decides."""
    data = np.ones(READ_BYTES // 8, np.int64)
    parts = np.array_split(data, threads)
    pool = ThreadPoolExecutor(threads)
    return _timed(lambda: list(pool.map(np.max, parts)), float(data.nbytes))


def _timed(run: Callable[[], object], amount: float) -> Callable[[], float]:
    def rate() -> float:
        began = perf_counter()
        run()
        return amount / (perf_counter() - began)

    return rate
