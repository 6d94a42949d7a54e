"""Load rows -> figures and tables."""

from benchmarks.rows import LoadPoint
from benchmarks.runs import Run
from benchmarks.tables import PERCENTILES, Table, per_second, percentiles

#: The share of requests that must be captioned within the limit.
KEPT = 0.99


def tables(run: Run[LoadPoint]) -> list[Table]:
    return [point_table(run), limit_table(run)]


def point_table(run: Run[LoadPoint]) -> Table:
    limit = limit_of(run)
    rows = tuple(
        (
            f"{point.server}, {per_second(point.rate)}",
            per_second(len(point.latencies) / point.seconds),
            per_second(sum(each <= limit for each in point.latencies) / point.seconds),
            *percentiles(point.latencies),
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
    best = {point.server: 0.0 for point in run.rows}
    for point in run.rows:
        if keeps(point, limit):
            best[point.server] = max(best[point.server], point.rate)
    rows = tuple((server, per_second(rate)) for server, rate in best.items())
    title = f"Highest rate with every request captioned, 99 % of them within {limit:g} s"
    return Table(title, ("", "rate"), rows)


def keeps(point: LoadPoint, limit: float) -> bool:
    """Return whether every request got a caption, and 99 % of them within `limit` seconds.

    This counts late requests instead of reading a percentile, so it holds for any sample size:
    below 100 requests none may be late.
    """
    within = sum(latency <= limit for latency in point.latencies)
    return set(point.statuses) == {200} and within >= KEPT * len(point.latencies)


def limit_of(run: Run[LoadPoint]) -> float:
    """Return the latency limit in seconds."""
    return float(run.settings["limit"])


def errors(point: LoadPoint) -> str:
    """Count the failures by status; 0 stands for no answer."""
    failed = {status: count for status, count in point.statuses.items() if status != 200}
    return ", ".join(f"{count} of {status}" for status, count in sorted(failed.items())) or "none"
