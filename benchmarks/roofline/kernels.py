"""The rates of this machine at the kernels of captioning: matrix products and reading memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from benchmarks.rows import Kernel, MachineRate

#: A feed-forward layer of BLIP-base's encoder: tokens, hidden units, units of the layer.
ROWS, INNER, COLUMNS = 577, 768, 3072
OPERATIONS = 2.0 * ROWS * INNER * COLUMNS
#: More than any processor cache.
READ_BYTES = 256 * 2**20
#: Seconds of repetitions for each kernel in a round.
SECONDS = 0.2

#: The kernels of this process, kept between calls from its parent.
_kernels: "dict[Kernel, Callable[[], float]]" = {}


def open_kernels(threads: int) -> None:
    """Make the kernels ready to be measured in this process."""
    rng = np.random.default_rng(0)
    left = rng.standard_normal((ROWS, INNER), dtype=np.float32)
    right = rng.standard_normal((INNER, COLUMNS), dtype=np.float32)
    left8, right8 = (left * 40 + 128).astype(np.uint8), right.astype(np.int8)
    _kernels["fp32 gemm"] = _gemm("MatMul", left, right, threads)
    _kernels["int8 gemm"] = _gemm("MatMulInteger", left8, right8, threads)
    _kernels["memory read"] = _reader(threads)
    if bf16 := _bf16_gemm(left, right, threads):
        _kernels["bf16 gemm"] = bf16


def measure_kernels(number: int) -> list[MachineRate]:
    """Return each kernel's rate in one round, in operations or bytes a second.

    It is the best of many repetitions, because a roofline states what the machine can do.
    """
    rows = []
    for kernel, run in _kernels.items():
        rates = [run()]
        end = perf_counter() + SECONDS
        while perf_counter() < end:
            rates.append(run())
        rows.append(MachineRate(number, kernel, max(rates)))
    return rows


def _gemm(operator: str, left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], float]:
    """Multiply by ONNX Runtime."""
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
    """Find the greatest of many integers: so little arithmetic that memory decides the time."""
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
