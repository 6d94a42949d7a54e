"""Load rows -> the numbers and tables that people read."""

from benchmarks.load.sweep import keeps
from benchmarks.rows import LoadPoint
from benchmarks.runs import Run
from benchmarks.summaries import Summary
from benchmarks.tables import Table, a_second, duration, times

FLOOR = "bare route"


def tables(run: Run[LoadPoint]) -> list[Table]:
    return [point_table(run), limit_table(run)]


def point_table(run: Run[LoadPoint]) -> Table:
    limit = float(run.settings["limit"])
    rows = tuple(
        (
            describe(point),
            a_second(throughput(point)),
            of_the_floor(run, point),
            a_second(goodput(point, limit)),
            *_percentiles(point),
            f"{point.hits / len(point.latencies):.0%}" if point.latencies else "-",
            errors(point),
        )
        for point in run.rows
    )
    columns = (
        "",
        "captions",
        "floor / this",
        f"within {limit:g} s",
        "p50",
        "p90",
        "p99",
        "max",
        "hits",
        "errors",
    )
    return Table(
        f"Load: uploads of {run.settings['size']}, hit ratio {run.settings['hit_ratio']} "
        f"({run.model})",
        columns,
        rows,
        "An open loop's latencies count from when a request was to be sent; the client shares "
        "this machine with the server.",
    )


def limit_table(run: Run[LoadPoint]) -> Table:
    limit = float(run.settings["limit"])
    servers = dict.fromkeys(point.server for point in run.rows if point.loop == "open")
    rows = tuple((server, a_second(best_rate(run, server, limit))) for server in servers)
    return Table(
        f"Highest rate with all requests captioned and p99 within {limit:g} s", ("", "rate"), rows
    )


def best_rate(run: Run[LoadPoint], server: str, limit: float) -> float:
    """The highest rate of an open loop kept; 0 if none was."""
    points = [each for each in run.rows if each.server == server and each.loop == "open"]
    return max((each.level for each in points if keeps(each, limit)), default=0.0)


def throughput(point: LoadPoint) -> float:
    """Captions a second, until the last answer."""
    return len(point.latencies) / point.seconds


def of_the_floor(run: Run[LoadPoint], point: LoadPoint) -> str:
    """How many times as many requests the route that only reads answered, at the same level."""
    floor = [each for each in run.rows if each.server == FLOOR and each.level == point.level]
    if point.loop == "open" or not floor or not point.latencies:
        return "-"
    return times(throughput(floor[0]) / throughput(point))


def goodput(point: LoadPoint, limit: float) -> float:
    """Captions a second that came within the limit."""
    return sum(latency <= limit for latency in point.latencies) / point.seconds


def describe(point: LoadPoint) -> str:
    if point.loop == "closed":
        return f"{point.server}, closed loop, connections: {point.level:.0f}"
    return f"{point.server}, open loop, {a_second(point.level)}"


def errors(point: LoadPoint) -> str:
    """How many of which status; 0 stands for no answer."""
    failed = {status: count for status, count in point.statuses.items() if status != 200}
    return ", ".join(f"{count} of {status}" for status, count in sorted(failed.items())) or "none"


def _percentiles(point: LoadPoint) -> tuple[str, ...]:
    if not point.latencies:
        return ("-",) * 4
    summary = Summary.of(point.latencies)
    return tuple(duration(each) for each in (summary.p50, summary.p90, summary.p99, summary.max))
