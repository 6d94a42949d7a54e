"""The figures as pictures, one question each."""

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.latency.figures import names, phase_medians, seconds, servers
from benchmarks.load.figures import throughput
from benchmarks.pipelines.figures import by_speed, captions_of, floor_of, samples_of
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
from benchmarks.rows import LatencySample, Loaded, LoadPoint, PipelineRow
from benchmarks.runs import Run
from benchmarks.summaries import Summary
from benchmarks.tables import duration


def latency(run: Run[LatencySample], path: Path) -> None:
    """How many requests were answered within which time, cold and cached."""
    size = "200 KB" if "200 KB" in names(run, "size") else names(run, "size")[0]
    with one_plot(path, f"Latency of an upload of {size}, {run.model}", height=4.2) as axes:
        floor = seconds(run.rows, kind="floor", size=size)
        _distribution(axes, floor, "only reading", GREY, "-")
        for server in servers(run):
            for kind, line in (("cached", "-"), ("new prompt", ":"), ("cold", "--")):
                values = seconds(run.rows, server=server, size=size, kind=kind)
                label = f"{server}, {kind}"
                _distribution(axes, values, label, SERVER_COLOURS.get(server, PINK), line)
        axes.set(xscale="log", xlabel="time to the whole answer (logarithmic)", ylim=(0, 1.02))
        axes.set_ylabel("share of requests")
        axes.yaxis.set_major_formatter(SHARE)
        axes.xaxis.set_major_formatter(TIME)
        axes.grid(axis="x", which="major", alpha=0.3)
        axes.figure.legend(loc="outside right center")


def phases(run: Run[LatencySample], path: Path) -> None:
    """Where our server's time goes on a cold request, by what it says itself."""
    bars = {
        size: phase_medians(run.rows, server, size, "cold")
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


def load(run: Run[LoadPoint], path: Path) -> None:
    """What latency a throughput costs, in open loops."""
    limit = float(run.settings["limit"])
    ratio = float(run.settings["hit_ratio"])
    title = f"Throughput against latency, {ratio:.0%} hits, {run.model}"
    with one_plot(path, title, height=4.2) as axes:
        points = [point for point in run.rows if point.loop == "open" and point.latencies]
        for server in dict.fromkeys(point.server for point in points):
            mine = [point for point in points if point.server == server]
            _load_lines(axes, server, sorted(mine, key=lambda point: point.level))
        refused = [point for point in points if set(point.statuses) != {200}]
        rates = [throughput(point) for point in refused]
        worst = [Summary.of(point.latencies).p99 for point in refused]
        if refused:
            axes.plot(rates, worst, "x", color=RED, markersize=11, label="some refused")
        axes.axhline(limit, color=GREY, linestyle="--", linewidth=1, label=f"limit, {limit:g} s")
        axes.set(xscale="log", yscale="log", xlabel="captions a second", ylabel="latency")
        axes.yaxis.set_major_formatter(TIME)
        axes.xaxis.set_major_formatter(NUMBER)
        axes.xaxis.set_minor_formatter(NUMBER)
        axes.tick_params(axis="x", which="minor", labelsize=8)
        axes.grid(alpha=0.3)
        axes.figure.legend(loc="outside right center")


def _load_lines(axes: Any, server: str, points: list[LoadPoint]) -> None:
    colour = SERVER_COLOURS.get(server, PINK)
    rates = [throughput(point) for point in points]
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
            samples = samples_of(run, name, tokens)
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
            if floor := floor_of(run, precisions[name]):
                least, label = floor.caption(tokens), "floor of its precision"
                axes.plot(
                    [least] * 2,
                    [row - 0.38, row + 0.38],
                    color=RED,
                    label=label if row == 0 else None,
                )
        axes.set_yticks(range(len(order)), order)
        axes.invert_yaxis()
        axes.set_xlabel("seconds (median; whiskers: least to greatest)")
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.figure.legend(loc="outside lower center", ncols=4)


def _distribution(axes: Any, values: list[float], label: str, colour: str, line: str) -> None:
    if values:
        axes.ecdf(values, label=label, color=colour, linestyle=line, linewidth=2)
