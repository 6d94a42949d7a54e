"""Latency rows -> figures and tables."""

from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import median

from benchmarks.rows import Kind, LatencyRow, LatencySample, ServerMemory
from benchmarks.runs import Run
from benchmarks.summaries import Summary, median_interval, ratios_by_round
from benchmarks.tables import PERCENTILES, Table, duration, megabytes, percentiles, times

KINDS: tuple[Kind, ...] = ("cold", "new prompt", "cached", "8 at once")
#: The two sides of --against, and the phases of a cold caption that it compares.
THIS, OTHER = "this", "other"
COMPARED_PHASES = ("preprocess", "encode", "decode")
#: The ratio above which this checkout counts as slower.
TOLERATED = 1.02


def main_size(sizes: Sequence[str]) -> str:
    """Return the upload size of bursts, plots and the README: a usual photo on the web."""
    return "200 KB" if "200 KB" in sizes else sizes[0]


def tables(run: Run[LatencyRow]) -> list[Table]:
    if OTHER in run.settings:
        return [*latency_tables(run), against_table(run)]
    return [*latency_tables(run), ratio_table(run), phase_table(run), memory_table(run)]


def latency_tables(run: Run[LatencyRow]) -> list[Table]:
    """Make a table for each size, with a row for each server and kind."""
    return [
        Table(
            f"Latency of an upload of {size} ({run.model})",
            ("", *PERCENTILES),
            tuple(
                (f"{server}, {kind}", *percentiles(Summary.of(values)))
                for server in servers(run)
                for kind in KINDS
                if (values := seconds(run, server, size, kind))
            ),
        )
        for size in sizes(run)
    ]


def ratio_table(run: Run[LatencyRow]) -> Table:
    """Show the gain by a hit, and the distance of the servers, as ratios within each round."""
    pairs: list[tuple[str, Mapping[int, float], Mapping[int, float]]] = []
    for size in sizes(run):
        first, *others = servers(run)
        for server in (first, *others):
            cold, cached = (by_round(run, server, size, kind) for kind in ("cold", "cached"))
            pairs.append((f"{size}: {server}, cold / cached", cold, cached))
        for other in others:
            for kind in KINDS:
                slow, fast = (by_round(run, server, size, kind) for server in (other, first))
                pairs.append((f"{size}: {other} / {first}, {kind}", slow, fast))
    rows = [
        (name, *(times(each) for each in (median(found), min(found), max(found))))
        for name, numerators, denominators in pairs
        if (found := ratios_by_round(numerators, denominators))
    ]
    note = "Of 8 at once: the time until all are answered, divided by 8."
    return Table("Ratios by round", ("", "median", "least", "greatest"), tuple(rows), note)


def against_table(run: Run[LatencyRow]) -> Table:
    """Show the ratio of the two checkouts, paired by round, with its 95 % interval."""
    parts: list[tuple[str, Kind, str | None]] = [(kind, kind, None) for kind in KINDS]
    parts += [(f"{phase} of cold", "cold", phase) for phase in COMPARED_PHASES]
    rows = []
    (size,) = sizes(run)
    for label, kind, phase in parts:
        this, other = (values_by_round(run, side, size, kind, phase) for side in (THIS, OTHER))
        ratios = [
            median(one / another for one, another in zip(this[each], other[each], strict=False))
            for each in this.keys() & other.keys()
        ]
        if not ratios:
            continue
        interval = median_interval(ratios)
        rows.append(
            (
                label,
                *(duration(median(chain(*side.values()))) for side in (this, other)),
                f"{median(ratios):.3f}",
                "{:.3f} to {:.3f}".format(*interval) if interval else "",
                verdict(interval),
                str(len(ratios)),
            )
        )
    return Table(
        f"This checkout against another ({run.model})",
        ("", THIS, OTHER, f"{THIS} / {OTHER}", "95 % interval", "loss above 2 %", "rounds"),
        tuple(rows),
        "The ratio is the median over rounds of a round's median ratio of paired requests, its "
        f"interval the binomial one of that median. Commits: {THIS} {run.settings[THIS]}, {OTHER} "
        f"{run.settings[OTHER]}. Captions of the two: {run.settings.get('captions', 'unknown')}; "
        "only equal captions are equal work.",
    )


def verdict(interval: tuple[float, float] | None) -> str:
    """Return whether this checkout is slower by more than 2 %, as far as the interval tells."""
    if interval is None:
        return ""
    low, high = interval
    if high <= TOLERATED:
        return "no"
    return "yes" if low > TOLERATED else "possible"


def phase_table(run: Run[LatencyRow]) -> Table:
    """Show the medians of Server-Timing, for the servers that send it."""
    phases = list(dict.fromkeys(name for row in samples_of(run) for name in row.phases))
    rows = []
    for size in sizes(run):
        for server in servers(run):
            for kind in KINDS:
                if medians := phase_medians(run, server, size, kind):
                    cells = (duration(medians.get(name)) for name in phases)
                    rows.append((f"{size}: {server}, {kind}", *cells))
    return Table("Median of each phase, from Server-Timing", ("", *phases), tuple(rows))


def memory_table(run: Run[LatencyRow]) -> Table:
    found = [row for row in run.rows if isinstance(row, ServerMemory)]
    rows = tuple((row.server, megabytes(row.peak_bytes)) for row in found)
    return Table("Greatest resident memory of a server after all rounds", ("", "memory"), rows)


def phase_medians(run: Run[LatencyRow], server: str, size: str, kind: Kind) -> dict[str, float]:
    chosen = [row.phases for row in samples_of(run, server, size, kind) if row.phases]
    found = dict.fromkeys(name for phases in chosen for name in phases)
    return {name: median(phases.get(name, 0.0) for phases in chosen) for name in found}


def by_round(run: Run[LatencyRow], server: str, size: str, kind: Kind) -> dict[int, float]:
    """Return the median of each round."""
    values = values_by_round(run, server, size, kind)
    return {number: median(each) for number, each in values.items()}


def values_by_round(
    run: Run[LatencyRow], server: str, size: str, kind: Kind, phase: str | None = None
) -> dict[int, list[float]]:
    """Return the seconds of each round's requests in order, in whole or of one phase."""
    found: dict[int, list[float]] = {}
    for row in samples_of(run, server, size, kind):
        value = row.phases.get(phase) if phase else row.seconds
        if value:
            found.setdefault(row.round, []).append(value)
    return found


def seconds(run: Run[LatencyRow], server: str, size: str, kind: Kind) -> list[float]:
    return [row.seconds for row in samples_of(run, server, size, kind)]


def samples_of(run: Run[LatencyRow], *wanted: str) -> list[LatencySample]:
    """Return the samples, of one server, size and kind if these are given."""
    samples = [row for row in run.rows if isinstance(row, LatencySample)]
    return [row for row in samples if not wanted or (row.server, row.size, row.kind) == wanted]


def servers(run: Run[LatencyRow]) -> list[str]:
    """Return the servers' names, ours first."""
    return sorted({row.server for row in samples_of(run)})


def sizes(run: Run[LatencyRow]) -> list[str]:
    return list(dict.fromkeys(row.size for row in samples_of(run)))
