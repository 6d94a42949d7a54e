"""Load rows -> the numbers and tables that people read."""

from benchmarks.floor.limits import caption_seconds, describe_caption_floors
from benchmarks.load.sweep import keeps
from benchmarks.rows import LoadPoint, LoadRow
from benchmarks.runs import Run
from benchmarks.summaries import Summary
from benchmarks.tables import Table, a_second, duration, times

FLOOR = "bare route"


def tables(run: Run[LoadRow]) -> list[Table]:
    return [point_table(run), limit_table(run)]


def point_table(run: Run[LoadRow]) -> Table:
    limit = float(run.settings["limit"])
    rows = tuple(
        (
            describe(point),
            a_second(throughput(point)),
            of_its_floor(run, point),
            a_second(goodput(point, limit)),
            *_percentiles(point),
            f"{point.hits / len(point.latencies):.0%}" if point.latencies else "-",
            errors(point),
        )
        for point in points_of(run)
    )
    columns = (
        "",
        "captions",
        "of its floor",
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
        f"this machine with the server. {floor_note(run)}",
    )


def limit_table(run: Run[LoadRow]) -> Table:
    limit = float(run.settings["limit"])
    servers = dict.fromkeys(point.server for point in points_of(run) if point.loop == "open")
    rows = tuple((server, a_second(best_rate(run, server, limit))) for server in servers)
    return Table(
        f"Highest rate with all requests captioned and p99 within {limit:g} s", ("", "rate"), rows
    )


def best_rate(run: Run[LoadRow], server: str, limit: float) -> float:
    """The highest rate of an open loop kept; 0 if none was."""
    points = [each for each in points_of(run) if each.server == server and each.loop == "open"]
    return max((each.level for each in points if keeps(each, limit)), default=0.0)


def points_of(run: Run[LoadRow]) -> list[LoadPoint]:
    return [row for row in run.rows if isinstance(row, LoadPoint)]


def throughput(point: LoadPoint) -> float:
    """Captions a second, until the last answer."""
    return len(point.latencies) / point.seconds


def of_its_floor(run: Run[LoadRow], point: LoadPoint) -> str:
    """The time that a request took, as its share of all, by the least that it could."""
    least = least_seconds(run, point)
    return times(1 / throughput(point) / least) if least and point.latencies else "-"


def least_seconds(run: Run[LoadRow], point: LoadPoint) -> float | None:
    """What one of a point's requests takes at least, on average.

    As long as the route that only reads at its best, and for those that were no hits a caption's
    least. None where either is not known.
    """
    routes = [each for each in points_of(run) if each.server == FLOOR and each.latencies]
    if not routes or not point.latencies:
        return None
    route = 1 / max(throughput(each) for each in routes)
    made = 1 - point.hits / len(point.latencies)
    if point.server == FLOOR or not made:
        return route
    caption = caption_seconds(run.rows, point.server)
    return None if caption is None else route + made * caption


def floor_note(run: Run[LoadRow]) -> str:
    captions = describe_caption_floors(run.rows)
    return (
        "Time a request is held against the floor: the route that only reads, at its best, and for "
        "the share that was no hit the least that a caption takes here; where a server keeps up "
        f"with an open loop, that tells how much room is left. {captions}."
        if captions
        else "What a caption takes at least was not measured: only the route has a floor."
    )


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
