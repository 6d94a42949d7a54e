"""What all plots look like."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

#: Told apart by people with any colour vision (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, SKY, YELLOW, RED, PINK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#56B4E9",
    "#E69F00",
    "#B22222",
    "#CC79A7",
)
GREY = "#8A8A8A"
SERVER_COLOURS = {"ours": BLUE, "server": BLUE, "tutorial": ORANGE, "bare route": GREY}
PHASE_COLOURS = {
    "read": SKY,
    "cache": GREEN,
    "queue": GREY,
    "preprocess": YELLOW,
    "encode": BLUE,
    "decode": ORANGE,
}
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
    """Axes of one plot, written to `path` when the block ends; the height is in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, height), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title)
        yield axes
        figure.savefig(path)
