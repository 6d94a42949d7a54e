"""The plots of a report, each of which answers one question."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.latency.figures import groups_of, main_size
from benchmarks.load.figures import keeps, limit_of
from benchmarks.pipelines.figures import captions_of, middle
from benchmarks.rows import Kind, LatencyRow, LoadPoint, PipelineRow
from benchmarks.runs import Run
from benchmarks.tables import duration

#: Distinguishable with any colour vision (Okabe and Ito, 2008).
BLUE, ORANGE, YELLOW, RED, GREY = "#0072B2", "#D55E00", "#E69F00", "#B22222", "#8A8A8A"
LINES: dict[Kind, str] = {"cached": "-", "new prompt": ":", "cold": "--"}
SERVER_COLOURS = {"ours": BLUE, "tutorial": ORANGE}
PHASE_COLOURS = {"preprocess": YELLOW, "encode": BLUE, "decode": ORANGE}
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 14,
    "legend.frameon": False,
    "savefig.dpi": 160,
}
TIME = FuncFormatter(lambda value, _: f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms")
NUMBER = FuncFormatter(lambda value, _: f"{value:g}")
SHARE = FuncFormatter(lambda value, _: f"{value:.0%}")


@contextmanager
def one_plot(path: Path, title: str, height: float) -> Iterator[Any]:
    """Yield the axes of a plot and write it to `path` afterwards; the height is in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, height), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title)
        yield axes
        figure.savefig(path)


def latency(run: Run[LatencyRow], path: Path) -> None:
    """Plot the share of requests answered within a time."""
    groups = groups_of(run)
    main = main_size(size for size, _, _ in groups)
    with one_plot(path, f"Latency of an upload of {main}, {run.model}", height=4.2) as axes:
        for (size, server, kind), samples in groups.items():
            if size == main and kind in LINES:
                style = {"color": SERVER_COLOURS[server], "linestyle": LINES[kind], "linewidth": 2}
                axes.ecdf([row.seconds for row in samples], label=f"{server}, {kind}", **style)
        axes.set(xscale="log", xlabel="time to the whole answer (logarithmic)", ylim=(0, 1.02))
        axes.set_ylabel("share of requests")
        axes.yaxis.set_major_formatter(SHARE)
        axes.xaxis.set_major_formatter(TIME)
        axes.grid(axis="x", which="major", alpha=0.3)
        axes.figure.legend(loc="outside right center")


def pipelines(run: Run[PipelineRow], path: Path) -> None:
    """Plot captions as stacked bars, with whiskers from the fastest to the slowest round."""
    tokens, captions = list(captions_of(run).items())[-1]
    title = f"One caption of up to {tokens} tokens, {run.model}, {run.environment.threads} threads"
    with one_plot(path, title, height=1.8 + 0.5 * len(captions)) as axes:
        for row, samples in enumerate(captions.values()):
            left = 0.0
            for phase, colour in PHASE_COLOURS.items():
                width = middle(samples, phase)
                label = phase if row == 0 else None
                axes.barh(row, width, left=left, color=colour, label=label, height=0.6)
                left += width
            seconds = [sample.seconds for sample in samples]
            whole, most = median(seconds), max(seconds)
            spread = [[whole - min(seconds)], [most - whole]]
            axes.errorbar(whole, row, xerr=spread, color="black", capsize=4, linewidth=1.2)
            axes.text(most, row, f"   {duration(whole)}", va="center")
        axes.set_yticks(range(len(captions)), list(captions))
        axes.invert_yaxis()
        axes.set_xlabel("median; whiskers: least to greatest")
        axes.xaxis.set_major_formatter(TIME)
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.figure.legend(loc="outside lower center", ncols=4)


def load(run: Run[LoadPoint], path: Path) -> None:
    """Plot the median and the greatest latency, which any sample supports, over the arrival rate.

    The rate of captions would fall where a server is overloaded, so it is no axis.
    """
    limit, ratio = limit_of(run), float(run.settings["hit_ratio"])
    points = sorted((point for point in run.rows if point.latencies), key=lambda each: each.rate)
    late = [point for point in points if not keeps(point, limit)]

    def draw(chosen: list[LoadPoint], figure: Any, line: str, label: str, **style: Any) -> None:
        values = [figure(point.latencies) for point in chosen]
        axes.plot([point.rate for point in chosen], values, line, label=label, **style)

    with one_plot(path, f"Latency under load, {ratio:.0%} hits, {run.model}", 4.2) as axes:
        for server in sorted({point.server for point in points}):
            own, colour = [each for each in points if each.server == server], SERVER_COLOURS[server]
            draw(own, max, "o-", f"{server}, slowest", color=colour)
            draw(own, median, "o:", f"{server}, median", color=colour, alpha=0.6)
        draw(late, max, "x", "limit not kept", color=RED, markersize=10)
        axes.axhline(limit, color=GREY, linestyle="--", linewidth=1, label=f"limit, {limit:g} s")
        axes.set(xscale="log", yscale="log", ylabel="latency")
        axes.set_xlabel("requests that arrive a second")
        axes.yaxis.set_major_formatter(TIME)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        axes.xaxis.set_major_formatter(NUMBER)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.figure.legend(loc="outside right center")
