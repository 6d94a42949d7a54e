"""This machine's limits by themselves: arithmetic, memory, and a route that only reads."""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncGenerator

from benchmarks.floor.kernels import measure_kernels, open_kernels
from benchmarks.http.client import Client, prepare
from benchmarks.http.servers import bare_server
from benchmarks.options import positive
from benchmarks.pictures import SIZES, draw
from benchmarks.plans import Plan, synchronously
from benchmarks.processes import process
from benchmarks.progress import Bar
from benchmarks.rows import LatencySample, MachineRate
from benchmarks.runs import Run
from benchmarks.summaries import Summary
from benchmarks.tables import Table, duration
from server.captioning.threads import available_threads

FloorRow = MachineRate | LatencySample


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--threads", type=positive, default=available_threads())
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--requests", type=positive, default=50, help="of each size in a round")


def plan(options: Namespace) -> Plan[FloorRow]:
    kernels, sizes = 4, len(SIZES)
    return Plan(
        benchmark="floor",
        model="no model",
        threads=options.threads,
        settings={"rounds": str(options.rounds), "requests": str(options.requests)},
        total=options.rounds * (kernels + sizes * options.requests),
        measure=lambda bar: synchronously(measure(options, bar)),
        tables=tables,
    )


async def measure(options: Namespace, bar: Bar) -> AsyncGenerator[FloorRow, None]:
    """Raises ServerUnavailable."""
    bar.say("drawing pictures")
    requests = {name: await prepare(draw(size, 0), None, "floor") for name, size in SIZES.items()}
    with process() as call, bare_server() as target:
        call(open_kernels, options.threads)
        async with Client.open(target) as client:
            bar.say("measuring")
            for number in range(options.rounds):
                for rate in call(measure_kernels, number):
                    yield rate
                for size, request in requests.items():
                    for _ in range(options.requests):
                        seconds = (await client.must_answer(request)).seconds
                        yield LatencySample(number, target.name, size, "floor", seconds, {})


def tables(run: Run[FloorRow]) -> list[Table]:
    rates: dict[str, list[float]] = {}
    for row in run.rows:
        if isinstance(row, MachineRate):
            rates.setdefault(row.kernel, []).append(row.rate / 1e9)
    routes: dict[str, list[float]] = {}
    for row in run.rows:
        if isinstance(row, LatencySample):
            routes.setdefault(row.size, []).append(row.seconds)
    title = f"The floor of this machine ({run.environment.threads} threads)"
    return [
        Table(title, ("", "best", "median", "least"), _rate_rows(rates)),
        Table("A route that only reads", ("upload", "p50", "p90", "p99"), _route_rows(routes)),
    ]


def _rate_rows(rates: dict[str, list[float]]) -> tuple[tuple[str, ...], ...]:
    units = {"memory read": "GB/s"}
    summaries = {name: Summary.of(values) for name, values in rates.items()}
    return tuple(
        (f"{name}, {units.get(name, 'G operations/s')}", *(f"{value:,.0f}" for value in shown))
        for name, each in summaries.items()
        for shown in [(each.max, each.p50, each.min)]
    )


def _route_rows(routes: dict[str, list[float]]) -> tuple[tuple[str, ...], ...]:
    summaries = {size: Summary.of(values) for size, values in routes.items()}
    return tuple(
        (size, duration(each.p50), duration(each.p90), duration(each.p99))
        for size, each in summaries.items()
    )
