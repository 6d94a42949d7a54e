"""The rates of this machine at the kernels of captioning: matrix products and reading memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from onnx import numpy_helper, parser

from benchmarks.rows import Kernel, MachineRate

#: A feed-forward layer of BLIP-base's encoder: tokens, hidden units, units of the layer.
ROWS, INNER, COLUMNS = 577, 768, 3072
OPERATIONS = 2.0 * ROWS * INNER * COLUMNS
#: More than any processor cache.
READ_BYTES = 256 * 2**20
#: Seconds of repetitions for each kernel in a round.
SECONDS = 0.2

#: The kernels of this process, kept between calls from its parent: the work of a run, and the run.
_kernels: dict[Kernel, tuple[float, Callable[[], object]]] = {}


def open_kernels(threads: int) -> None:
    """Make the kernels ready to be measured in this process."""
    rng = np.random.default_rng(0)
    left = rng.standard_normal((ROWS, INNER), dtype=np.float32)
    right = rng.standard_normal((INNER, COLUMNS), dtype=np.float32)
    left8, right8 = (left * 40 + 128).astype(np.uint8), right.astype(np.int8)
    _kernels["fp32 gemm"] = OPERATIONS, _gemm("MatMul", left, right, threads)
    _kernels["int8 gemm"] = OPERATIONS, _gemm("MatMulInteger", left8, right8, threads)
    _kernels["memory read"] = READ_BYTES, _reader(threads)
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(threads)
    a, b = (torch.from_numpy(each).to(torch.bfloat16) for each in (left, right))
    _kernels["bf16 gemm"] = OPERATIONS, lambda: a @ b


def measure_kernels(number: int) -> list[MachineRate]:
    """Return each kernel's rate in one round, in operations or bytes a second.

    It is the best of many repetitions, because a roofline states what the machine can do.
    """
    rows = []
    for kernel, (amount, run) in _kernels.items():
        best, end = float("inf"), perf_counter() + SECONDS
        while (began := perf_counter()) < end:
            run()
            best = min(best, perf_counter() - began)
        rows.append(MachineRate(number, kernel, amount / best))
    return rows


def _gemm(operator: str, left: np.ndarray, right: np.ndarray, threads: int) -> Callable[[], object]:
    """Multiply by ONNX Runtime."""
    kinds = ("float", "float") if operator == "MatMul" else ("uint8", "int32")
    model = parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 18]> '
        f"gemm ({kinds[0]}[{ROWS}, {INNER}] left) => ({kinds[1]}[{ROWS}, {COLUMNS}] product) "
        f"{{ product = {operator} (left, right) }}"
    )
    model.graph.initializer.append(numpy_helper.from_array(right, "right"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda: session.run(None, {"left": left})


def _reader(threads: int) -> Callable[[], object]:
    """Find the greatest of many integers: so little arithmetic that memory decides the time."""
    parts = np.array_split(np.ones(READ_BYTES // 8, np.int64), threads)
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(np.max, parts))
