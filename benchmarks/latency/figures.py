"""Latency rows -> figures and tables."""

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.pictures import SIZES
from benchmarks.rounds import ratios_by_round
from benchmarks.rows import Kind, LatencyRow, LatencySample, ServerMemory
from benchmarks.runs import Run
from benchmarks.tables import PERCENTILES, Table, duration, megabytes, percentiles, times

KINDS: dict[Kind, str] = {
    "cold": "a new picture",
    "new prompt": "a new prompt on a known picture",
    "cached": "a cached caption",
    "by digest": "a cached caption without the upload, by digest",
    "8 at once": "8 new pictures at once, each",
}
SERVERS = {"ours": "this server", "tutorial": "the tutorial's server"}

#: Samples by upload size, server and kind.
Groups = dict[tuple[str, str, Kind], list[LatencySample]]


def groups_of(run: Run[LatencyRow]) -> Groups:
    """Group the samples, the smallest upload and our server first."""
    found: Groups = {}
    for row in run.rows:
        if isinstance(row, LatencySample):
            found.setdefault((row.size, row.server, row.kind), []).append(row)

    def order(group: tuple[str, str, Kind]) -> tuple[int, str, int]:
        size, server, kind = group
        return list(SIZES).index(size), server, list(KINDS).index(kind)

    return {group: found[group] for group in sorted(found, key=order)}


def main_size(sizes: Iterable[str]) -> str:
    """Return the upload size of bursts, plots and the README: a usual photo on the web."""
    found = list(sizes)
    return found[0] if found and "200 KB" not in found else "200 KB"


def values_by_round(
    samples: Iterable[LatencySample], phase: str | None = None
) -> dict[int, list[float]]:
    """Return the seconds of each round's requests in order, in whole or of one phase."""
    found: dict[int, list[float]] = {}
    for row in samples:
        if value := row.phases.get(phase) if phase else row.seconds:
            found.setdefault(row.round, []).append(value)
    return found


def by_round(samples: Iterable[LatencySample]) -> dict[int, float]:
    """Return the median seconds of each round."""
    return {number: median(each) for number, each in values_by_round(samples).items()}


def tables(run: Run[LatencyRow]) -> list[Table]:
    groups = groups_of(run)
    if not groups:
        return []
    sizes = dict.fromkeys(size for size, _, _ in groups)
    compared = [comparison_table(run, size) for size in sizes]
    return [*compared, *latency_tables(run), phase_table(run), memory_table(run)]


def comparison_table(run: Run[LatencyRow], size: str) -> Table:
    """Show the median of each kind by server, and the ratio of the servers within rounds."""
    rounds = {
        (server, kind): by_round(samples)
        for (each, server, kind), samples in groups_of(run).items()
        if each == size
    }
    rows = []
    for kind, label in KINDS.items():
        # The tutorial's server has no look-up by digest: its clients upload the file again.
        theirs: Kind = "cached" if kind == "by digest" else kind
        ours, tutorial = rounds.get(("ours", kind), {}), rounds.get(("tutorial", theirs), {})
        if ours or ("tutorial", kind) in rounds:
            medians = (
                duration(median(each.values()) if each else None) for each in (ours, tutorial)
            )
            rows.append((label, *medians, ratio(tutorial, ours)))
    gains = [
        f"{ratio(rounds[server, 'cold'], rounds[server, 'cached'])} on {label}"
        for server, label in SERVERS.items()
        if (server, "cached") in rounds
    ]
    return Table(
        f"Time to a caption, uploads of {size} ({run.model})",
        ("", *SERVERS.values(), "ratio"),
        tuple(rows),
        "Medians. Ratios are taken within rounds: median (least to greatest). A cached caption is "
        f"faster than a new one by {' and '.join(gains)}.",
    )


def ratio(slow: dict[int, float], fast: dict[int, float]) -> str:
    """Format the ratios of rounds: median (least to greatest); empty without a common round."""
    if not (found := ratios_by_round(slow, fast)):
        return ""
    return f"{times(median(found))} ({times(min(found))} to {times(max(found))})"


def latency_tables(run: Run[LatencyRow]) -> list[Table]:
    """Make a table for each size, with a row for each server and kind."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for (size, server, kind), samples in groups_of(run).items():
        cells = percentiles([row.seconds for row in samples])
        rows.setdefault(size, []).append((f"{server}, {kind}", *cells))
    return [
        Table(f"Latency of an upload of {size} ({run.model})", ("", *PERCENTILES), tuple(each))
        for size, each in rows.items()
    ]


def phase_table(run: Run[LatencyRow]) -> Table:
    """Show the medians of Server-Timing, for the servers that send it."""
    groups = groups_of(run)
    phases = dict.fromkeys(name for each in groups.values() for row in each for name in row.phases)
    rows = tuple(
        (f"{size}: {server}, {kind}", *(phase_median(samples, name) for name in phases))
        for (size, server, kind), samples in groups.items()
        if any(row.phases for row in samples)
    )
    return Table("Median of each phase, from Server-Timing", ("", *phases), rows)


def phase_median(samples: Sequence[LatencySample], phase: str) -> str:
    """Format the median seconds of a phase; empty if no answer states it."""
    if not any(phase in row.phases for row in samples):
        return ""
    return duration(median(row.phases.get(phase, 0.0) for row in samples if row.phases))


def memory_table(run: Run[LatencyRow]) -> Table:
    found = [row for row in run.rows if isinstance(row, ServerMemory)]
    rows = tuple((row.server, megabytes(row.peak_bytes)) for row in found)
    return Table("Greatest resident memory of a server after all rounds", ("", "memory"), rows)
