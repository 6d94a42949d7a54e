"""Load rows -> figures and tables."""

from benchmarks.load.sweep import keeps
from benchmarks.rows import LoadPoint
from benchmarks.runs import Run
from benchmarks.summaries import Summary
from benchmarks.tables import PERCENTILES, Table, per_second, percentiles


def tables(run: Run[LoadPoint]) -> list[Table]:
    return [point_table(run), limit_table(run)]


def point_table(run: Run[LoadPoint]) -> Table:
    limit = limit_of(run)
    rows = tuple(
        (
            f"{point.server}, {per_second(point.rate)}",
            per_second(len(point.latencies) / point.seconds),
            per_second(goodput(point, limit)),
            *percentiles(Summary.of(point.latencies) if point.latencies else None),
            f"{point.hits / len(point.latencies):.0%}" if point.latencies else "",
            errors(point),
        )
        for point in run.rows
    )
    return Table(
        f"Load: uploads of {run.settings['size']}, hit ratio {run.settings['hit_ratio']} "
        f"({run.model})",
        ("", "captions", f"within {limit:g} s", *PERCENTILES, "hits", "errors"),
        rows,
        "Open loops with Poisson arrivals; latencies count from the scheduled time of a request. "
        "The client shares this machine with the server.",
    )


def limit_table(run: Run[LoadPoint]) -> Table:
    limit = limit_of(run)
    servers = dict.fromkeys(point.server for point in run.rows)
    rows = tuple((server, per_second(best_rate(run, server))) for server in servers)
    title = f"Highest rate with every request captioned, 99 % of them within {limit:g} s"
    return Table(title, ("", "rate"), rows)


def limit_of(run: Run[LoadPoint]) -> float:
    """Return the latency limit in seconds."""
    return float(run.settings["limit"])


def best_rate(run: Run[LoadPoint], server: str) -> float:
    """Return the highest rate that kept the limit; 0 if none did."""
    points = [each for each in run.rows if each.server == server]
    return max((each.rate for each in points if keeps(each, limit_of(run))), default=0.0)


def goodput(point: LoadPoint, limit: float) -> float:
    """Return the captions a second that came within the limit."""
    return sum(latency <= limit for latency in point.latencies) / point.seconds


def errors(point: LoadPoint) -> str:
    """Count the failures by status; 0 stands for no answer."""
    failed = {status: count for status, count in point.statuses.items() if status != 200}
    return ", ".join(f"{count} of {status}" for status, count in sorted(failed.items())) or "none"
