"""A report as a run would leave it, with invented figures: for what is made of figures."""

from typing import Any

from benchmarks.environment import Environment
from benchmarks.latency.figures import samples_of
from benchmarks.report.contents import Report
from benchmarks.rows import (
    Absent,
    Beyond,
    Captioned,
    CaptionFloor,
    Kind,
    LatencyRow,
    LatencySample,
    Loaded,
    LoadPoint,
    LoadRow,
    MachineRate,
    PipelineRow,
    Work,
)
from benchmarks.runs import Run

MODEL = "an invented model"
#: Of ours: 0.3 s to encode and 10 tokens of 0.01 s. The tutorial's is not known.
CAPTION_FLOOR = CaptionFloor("ours", "fp32", 0.3, 0.01, 10.0)
ENVIRONMENT = Environment(
    date="2026-01-02T03:04:05+00:00",
    cpu="a CPU",
    features=("avx2",),
    cores=2,
    threads=2,
    memory_gib=8.0,
    system="Linux x86_64",
    versions={"python": "3.11"},
)


def run(benchmark: str, rows: tuple[Any, ...], **settings: str) -> Run[Any]:
    return Run(benchmark, MODEL, settings, ENVIRONMENT, False, rows)


def latency_run() -> Run[LatencyRow]:
    """Ours takes 2 ms for a hit and 1 s for a miss, the tutorial three times as long."""
    rows: list[LatencyRow] = [CAPTION_FLOOR]
    for number in (1, 2, 3):
        for server, factor in (("ours", 1.0), ("tutorial", 3.0)):
            costs: tuple[tuple[Kind, float], ...] = (
                ("cold", 1.0),
                ("cached", 0.002),
                ("new prompt", 1.0),
            )
            for kind, seconds in costs:
                phases = {"read": 0.001} if server == "ours" else {}
                taken = round(seconds * factor * number, 6)
                rows.append(LatencySample(number, server, "200 KB", kind, taken, phases))
        rows.append(LatencySample(number, "bare route", "200 KB", "floor", 0.001 * number, {}))
    return run("latency", tuple(rows))


def load_run() -> Run[LoadRow]:
    """The route answers 100 a second; ours keeps up with 8 a second and refuses some of 16."""
    rows = (
        CAPTION_FLOOR,
        LoadPoint("bare route", "closed", 1, 1.0, (0.01,) * 100, {200: 100}, 0, 90),
        LoadPoint("ours", "closed", 1, 1.0, (0.1,) * 10, {200: 10}, 9, 9),
        LoadPoint("ours", "open", 8.0, 1.0, (0.2,) * 8, {200: 8}, 7, 7),
        LoadPoint("ours", "open", 16.0, 1.0, (0.9,) * 10, {200: 10, 503: 6}, 9, 9),
    )
    return run("load", rows, limit="1.0", hit_ratio="0.9", size="50 KB")


def pipeline_run() -> Run[PipelineRow]:
    """Ours takes a second and the tutorial two, on a machine that slows down by the round."""
    rows: list[PipelineRow] = [Work(100e9, 10e9, 400e6, 40e6)]
    for name, precision, seconds in (("ours-fp32", "fp32", 1.0), ("tutorial-torch", "fp32", 2.0)):
        rows.append(Loaded(name, precision, 3.0))
        for number in (0, 1, 2):
            drift = 1 + number
            half = seconds * drift / 2
            rows.append(Captioned(number, name, 20, 0.0, half, half, (1,) * 20, 10**9))
    for number in (0, 1, 2):
        rows.append(
            Beyond(number, "new prompt on a known picture", round(0.3 * (1 + number), 6), 10**9)
        )
        rows.append(Beyond(number, "the same on a new picture", 1.0 * (1 + number), 10**9))
    rows += [MachineRate(0, "sgemm", 200e9), MachineRate(0, "memory read", 44e9)]
    rows.append(Absent("openvino-int8", "the package openvino is not installed"))
    return run("pipelines", tuple(rows))


def report() -> Report:
    samples = [row for row in samples_of(latency_run()) if row.kind == "floor"]
    floor = run("floor", (MachineRate(0, "sgemm", 200e9), *samples))
    return Report("quick", floor, latency_run(), load_run(), pipeline_run())
