"""A report with invented figures, as a run would leave it."""

from collections.abc import Sequence
from typing import Any

from benchmarks.rows import (
    Absent,
    Captioned,
    Kind,
    LatencyRow,
    LatencySample,
    Loaded,
    LoadPoint,
    MachineRate,
    PipelineRow,
    ServerMemory,
    Work,
)
from benchmarks.runs import Environment, Report, Run

MODEL = "an invented model; ours in int8"
#: 0.5 s to encode in fp32, 10 ms to read for a token.
WORK = Work(encoder_operations=100e9, attention_operations=10e9, step_bytes=440e6)
RATES = (MachineRate(1, "fp32 gemm", 200e9), MachineRate(1, "memory read", 44e9))
ENVIRONMENT = Environment(
    date="2026-01-02T03:04:05+00:00",
    cpu="a CPU (avx2)",
    cores=2,
    threads=2,
    system="Linux",
    versions={"python": "3.11"},
)
COSTS: dict[Kind, float] = {
    "cold": 1.0,
    "cached": 0.002,
    "by digest": 0.001,
    "new prompt": 0.5,
    "8 at once": 0.8,
}


def run(benchmark: str, rows: Sequence[Any], **settings: str) -> Run[Any]:
    return Run(benchmark, ENVIRONMENT, MODEL, settings, False, list(rows))


def latency_run(
    factors: dict[str, float] | None = None, rounds: int = 3, **settings: str
) -> Run[LatencyRow]:
    """Each server takes its factor times COSTS, on a machine that slows down by the round."""
    factors = factors or {"ours": 1.0, "tutorial": 3.0}
    samples = [
        LatencySample(number, server, "200 KB", kind, round(cost * factor * number, 6), phases)
        for number in range(1, rounds + 1)
        for server, factor in factors.items()
        for kind, cost in COSTS.items()
        if (server, kind) != ("tutorial", "by digest")
        for phases in [{} if server == "tutorial" else {"decode": round(0.3 * factor * number, 6)}]
    ]
    return run("latency", [*samples, ServerMemory("ours", 500_000_000)], **settings)


def load_run() -> Run[LoadPoint]:
    """Ours keeps up with 8 a second and refuses some of 16; the tutorial's is late at 16."""
    points = (
        LoadPoint("ours", 8.0, 1.0, (0.2,) * 8, {200: 8}, 7),
        LoadPoint("ours", 16.0, 1.0, (0.9,) * 10, {200: 10, 503: 6}, 9),
        LoadPoint("tutorial", 16.0, 2.0, (1.5,) * 16, {200: 16}, 14),
    )
    return run("load", points, limit="1.0", hit_ratio="0.9", size="50 KB")


def pipeline_run() -> Run[PipelineRow]:
    """Ours takes a second and the tutorial two, on a machine that slows down by the round."""
    rows: list[PipelineRow] = [WORK, *RATES]
    for name, seconds in (("ours-fp32", 1.0), ("tutorial-torch", 2.0)):
        rows.append(Loaded(name, "fp32", 3.0))
        for number in (1, 2, 3):
            half = seconds * number / 2
            rows.append(Captioned(number, name, 20, 0.0, half, half, (1,) * 20, 10**9))
    rows.append(Absent("openvino-int8", "the package openvino is not installed"))
    return run("pipelines", rows)


def report() -> Report:
    return Report(
        "quick", run("roofline", (WORK, *RATES)), latency_run(), load_run(), pipeline_run()
    )
