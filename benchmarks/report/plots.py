"""The figures as pictures, one question each."""

from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.floor.limits import floor_of
from benchmarks.latency.figures import (
    least_seconds,
    names,
    phase_medians,
    samples_of,
    seconds,
    servers,
)
from benchmarks.load.figures import points_of
from benchmarks.pipelines.figures import by_speed, captions_of
from benchmarks.pipelines.figures import samples_of as captions_by
from benchmarks.report.style import (
    GREY,
    NUMBER,
    PHASE_COLOURS,
    PINK,
    RED,
    SERVER_COLOURS,
    SHARE,
    TIME,
    one_plot,
)
from benchmarks.rows import CaptionFloor, LatencyRow, Loaded, LoadPoint, LoadRow, PipelineRow
from benchmarks.runs import Run
from benchmarks.summaries import Summary
from benchmarks.tables import duration


def latency(run: Run[LatencyRow], path: Path) -> None:
    """How many requests were answered within which time, cold and cached."""
    size = "200 KB" if "200 KB" in names(run, "size") else names(run, "size")[0]
    with one_plot(path, f"Latency of an upload of {size}, {run.model}", height=4.2) as axes:
        floor = seconds(run, kind="floor", size=size)
        _distribution(axes, floor, "only reading", GREY, "-")
        for server in servers(run):
            for kind, line in (("cached", "-"), ("new prompt", ":"), ("cold", "--")):
                values = seconds(run, server=server, size=size, kind=kind)
                label = f"{server}, {kind}"
                _distribution(axes, values, label, SERVER_COLOURS.get(server, PINK), line)
        for precision, least in _caption_floors(run, size).items():
            axes.axvline(least, color=GREY, linewidth=1, linestyle="-.")
            label = f"floor of a caption, {precision} "
            axes.text(least, 0.03, label, color=GREY, rotation=90, ha="right", fontsize=9)
        axes.set(xscale="log", xlabel="time to the whole answer (logarithmic)", ylim=(0, 1.02))
        axes.set_ylabel("share of requests")
        axes.yaxis.set_major_formatter(SHARE)
        axes.xaxis.set_major_formatter(TIME)
        axes.grid(axis="x", which="major", alpha=0.3)
        axes.figure.legend(loc="outside right center")


def _caption_floors(run: Run[LatencyRow], size: str) -> dict[str, float]:
    """By precision, in which servers may agree."""
    floors = [row for row in run.rows if isinstance(row, CaptionFloor)]
    found = {row.precision: least_seconds(run, row.server, size, "cold") for row in floors}
    return {precision: least for precision, least in found.items() if least is not None}


def phases(run: Run[LatencyRow], path: Path) -> None:
    """Where our server's time goes on a cold request, by what it says itself."""
    bars = {
        size: phase_medians(samples_of(run), server, size, "cold")
        for server in servers(run)
        if server != "tutorial"
        for size in names(run, "size")
    }
    height = 1.8 + 0.5 * len(bars)
    with one_plot(path, f"Phases of a cold caption, {run.model}", height=height) as axes:
        for row, phase_seconds in enumerate(bars.values()):
            left = 0.0
            for phase, colour in PHASE_COLOURS.items():
                width = phase_seconds.get(phase, 0.0) * 1000
                label = phase if row == 0 else None
                axes.barh(row, width, left=left, color=colour, label=label, height=0.6)
                left += width
            axes.text(left, row, f"  {duration(left / 1000)}" if left else "", va="center")
        axes.set_yticks(range(len(bars)), list(bars))
        axes.invert_yaxis()
        axes.set_xlabel("milliseconds, medians of Server-Timing")
        axes.margins(x=0.12)
        axes.figure.legend(loc="outside lower center", ncols=6)


def load(run: Run[LoadRow], path: Path) -> None:
    """What latency requests meet at which rate, in open loops.

    At the rate at which they arrive: what is captioned goes back where a server is overrun.
    """
    limit = float(run.settings["limit"])
    ratio = float(run.settings["hit_ratio"])
    title = f"Latency under load, {ratio:.0%} hits, {run.model}"
    with one_plot(path, title, height=4.2) as axes:
        points = [point for point in points_of(run) if point.loop == "open" and point.latencies]
        points.sort(key=lambda point: point.level)
        for server in sorted({point.server for point in points}):
            _load_lines(axes, server, [point for point in points if point.server == server])
        if failing := [point for point in points if set(point.statuses) != {200}]:
            worst = [Summary.of(point.latencies).p99 for point in failing]
            rates = [point.level for point in failing]
            axes.plot(rates, worst, "x", color=RED, markersize=11, label="not all captioned")
        axes.axhline(limit, color=GREY, linestyle="--", linewidth=1, label=f"limit, {limit:g} s")
        axes.set(xscale="log", yscale="log", ylabel="latency")
        axes.set_xlabel("requests a second that arrive: as many captions, while a server keeps up")
        axes.yaxis.set_major_formatter(TIME)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 5, 7)))
        axes.xaxis.set_major_formatter(NUMBER)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.figure.legend(loc="outside right center")


def _load_lines(axes: Any, server: str, points: list[LoadPoint]) -> None:
    colour = SERVER_COLOURS.get(server, PINK)
    rates = [point.level for point in points]
    summaries = [Summary.of(point.latencies) for point in points]
    axes.plot(rates, [each.p99 for each in summaries], "o-", color=colour, label=f"{server}, p99")
    p50 = [each.p50 for each in summaries]
    axes.plot(rates, p50, "o:", color=colour, alpha=0.6, label=f"{server}, p50")


def pipelines(run: Run[PipelineRow], path: Path) -> None:
    """Whole captions as stacked bars, with whiskers from the quickest to the slowest round."""
    tokens = max(row.tokens for row in captions_of(run))
    order = by_speed(run, tokens)
    precisions = {row.pipeline: row.precision for row in run.rows if isinstance(row, Loaded)}
    title = f"One caption of {tokens} tokens, {run.model}, {run.environment.threads} threads"
    with one_plot(path, title, height=1.8 + 0.5 * len(order)) as axes:
        for row, name in enumerate(order):
            samples = captions_by(run, name, tokens)
            left = 0.0
            for phase in ("preprocess", "encode", "decode"):
                width = median(getattr(sample, phase) for sample in samples)
                label = phase if row == 0 else None
                colour = PHASE_COLOURS[phase]
                axes.barh(row, width, left=left, color=colour, label=label, height=0.6)
                left += width
            whole = Summary.of([sample.seconds for sample in samples])
            spread = [[whole.p50 - whole.min], [whole.max - whole.p50]]
            axes.errorbar(whole.p50, row, xerr=spread, color="black", capsize=4, linewidth=1.2)
            axes.text(whole.max, row, f"   {duration(whole.p50)}", va="center")
            if floor := floor_of(run.rows, precisions[name]):
                least, label = floor.caption(tokens), "floor of its precision"
                ends = [least] * 2, [row - 0.38, row + 0.38]
                # White around it, or red would drown in orange.
                axes.plot(*ends, color="white", linewidth=4.5)
                axes.plot(*ends, color=RED, linewidth=2, label=label if row == 0 else None)
        axes.set_yticks(range(len(order)), order)
        axes.invert_yaxis()
        axes.set_xlabel("median; whiskers: least to greatest")
        axes.xaxis.set_major_formatter(TIME)
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.figure.legend(loc="outside lower center", ncols=4)


def _distribution(axes: Any, values: list[float], label: str, colour: str, line: str) -> None:
    if values:
        axes.ecdf(values, label=label, color=colour, linestyle=line, linewidth=2)
