"""Latency rows -> the numbers and tables that people read."""

from collections.abc import Sequence
from statistics import median

from benchmarks.floor.limits import caption_seconds, describe_caption_floors
from benchmarks.rows import Kind, LatencyRow, LatencySample
from benchmarks.runs import Run
from benchmarks.summaries import Summary, ratios
from benchmarks.tables import Table, duration, times

KINDS: tuple[Kind, ...] = ("cold", "new prompt", "cached")


def tables(run: Run[LatencyRow]) -> list[Table]:
    return [*latency_tables(run), speed_up_table(run), phase_table(run)]


def latency_tables(run: Run[LatencyRow]) -> list[Table]:
    """A table a size: every server and kind as percentiles, and as a multiple of its floor."""
    found = []
    for size in names(run, "size"):
        route = Summary.of(seconds(run, kind="floor", size=size))
        rows = [("route that only reads", *_percentiles(route), "1x")]
        for server in servers(run):
            for kind in KINDS:
                if values := seconds(run, server=server, size=size, kind=kind):
                    summary = Summary.of(values)
                    least = least_seconds(run, server, size, kind)
                    multiple = times(summary.p50 / least) if least else "-"
                    rows.append((f"{server}, {kind}", *_percentiles(summary), multiple))
        columns = ("", "n", "p50", "p90", "p99", "min", "max", "of its floor")
        title = f"Latency of an upload of {size} ({run.model})"
        found.append(Table(title, columns, tuple(rows), floor_note(run)))
    return found


def least_seconds(run: Run[LatencyRow], server: str, size: str, kind: Kind) -> float | None:
    """The median of the route that only reads, and for what is not cached a caption's least.

    A new prompt's too, although a server might keep what it knows of a picture. None where the
    least of a caption is not known.
    """
    route = median(seconds(run, kind="floor", size=size))
    if kind == "cached":
        return route
    caption = caption_seconds(run.rows, server)
    return None if caption is None else route + caption


def floor_note(run: Run[LatencyRow]) -> str:
    captions = describe_caption_floors(run.rows)
    return (
        "p50 is held against the floor: of a hit the route that only reads, of a caption that is "
        "made the route and the least that its model takes here without a prompt (a new prompt is "
        f"below that where the server still has the picture encoded). {captions}."
        if captions
        else "p50 is held against the floor: the route that only reads. What a caption that is "
        "made takes at least was not measured."
    )


def speed_up_table(run: Run[LatencyRow]) -> Table:
    """Ratios of medians within each round: how much a hit saves, how far servers are apart."""
    rows = []
    for size in names(run, "size"):
        for server in servers(run):
            saved = by_round(run, server, size, "cold"), by_round(run, server, size, "cached")
            rows.append((f"{size}: {server}, cold / cached", *_ratio(*saved)))
        first, *others = servers(run)
        for other in others:
            for kind in KINDS:
                pair = by_round(run, other, size, kind), by_round(run, first, size, kind)
                rows.append((f"{size}: {other} / {first}, {kind}", *_ratio(*pair)))
    return Table("Ratios by round", ("", "median", "least", "greatest"), tuple(rows))


def phase_table(run: Run[LatencyRow]) -> Table:
    """What the servers say themselves, by Server-Timing; those that say nothing are left out."""
    rows = []
    stated = [row for row in samples_of(run) if row.phases]
    phases = list(dict.fromkeys(name for row in stated for name in row.phases))
    for size in names(run, "size"):
        for server in servers(run):
            for kind in KINDS:
                medians = phase_medians(stated, server, size, kind)
                if medians:
                    cells = (duration(medians[name]) if name in medians else "-" for name in phases)
                    rows.append((f"{size}: {server}, {kind}", *cells))
    return Table("Median of each phase, from Server-Timing", ("", *phases), tuple(rows))


def phase_medians(
    rows: Sequence[LatencySample], server: str, size: str, kind: Kind
) -> dict[str, float]:
    chosen = [row for row in rows if (row.server, row.size, row.kind) == (server, size, kind)]
    found = dict.fromkeys(name for row in chosen for name in row.phases)
    return {name: median(row.phases.get(name, 0.0) for row in chosen) for name in found}


def by_round(run: Run[LatencyRow], server: str, size: str, kind: Kind) -> dict[int, float]:
    """The median of each round that has any."""
    rounds = dict.fromkeys(row.round for row in samples_of(run))
    found = {each: seconds(run, round=each, server=server, size=size, kind=kind) for each in rounds}
    return {each: median(values) for each, values in found.items() if values}


def samples_of(run: Run[LatencyRow]) -> list[LatencySample]:
    return [row for row in run.rows if isinstance(row, LatencySample)]


def seconds(run: Run[LatencyRow], **fields: object) -> list[float]:
    """The durations of the samples with these field values."""
    return [
        row.seconds
        for row in samples_of(run)
        if all(getattr(row, name) == value for name, value in fields.items())
    ]


def servers(run: Run[LatencyRow]) -> list[str]:
    """Ours before others, whichever a round began with."""
    return sorted({row.server for row in samples_of(run) if row.kind != "floor"})


def names(run: Run[LatencyRow], field: str) -> list[str]:
    return list(dict.fromkeys(getattr(row, field) for row in samples_of(run)))


def _ratio(numerators: dict[int, float], denominators: dict[int, float]) -> tuple[str, str, str]:
    both = sorted(numerators.keys() & denominators.keys())
    if not both:
        return ("-", "-", "-")
    found = ratios([numerators[each] for each in both], [denominators[each] for each in both])
    return times(found.p50), times(found.min), times(found.max)


def _percentiles(summary: Summary) -> tuple[str, ...]:
    shown = (summary.p50, summary.p90, summary.p99, summary.min, summary.max)
    return (str(summary.count), *(duration(value) for value in shown))
