"""Progress of a download: a bar on a terminal, a line now and then elsewhere."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from tqdm import tqdm  # type: ignore[import-untyped]

Report = Callable[[str], None]
Arrived = Callable[[], int]

LINE_PERIOD = 10.0  # seconds between two lines
BAR_PERIOD = 0.2
BAR_FORMAT = (
    "{desc} {percentage:3.0f}% |{bar}| {n_fmt} of {total_fmt}, {rate_fmt}, {remaining} left"
)


@contextmanager
def progress(
    name: str, arrived: Arrived, total: int | None, report: Report, *, bar: bool
) -> Iterator[Report]:
    """Show bytes, rate and time left while the block runs. Yield the way to report a line.

    `arrived` tells the bytes that are there, from any thread.
    """
    if not bar:
        lines = _Lines(name, arrived, total, report)
        with _repeated(LINE_PERIOD, lines.next):
            yield report
        return
    with _Bar(
        desc=name,
        total=total,
        initial=arrived(),
        unit="B",
        unit_scale=True,
        miniters=1,
        leave=False,
        bar_format=BAR_FORMAT if total else None,
        file=sys.stderr,
    ) as shown:

        def above(line: str) -> None:
            with tqdm.external_write_mode(file=sys.stderr):
                report(line)

        with _repeated(BAR_PERIOD, lambda: shown.update(arrived() - shown.n)):
            yield above


class _Bar(tqdm):  # type: ignore[misc]
    # tqdm's monitor is a thread that would stay for as long as the process lives.
    monitor_interval = 0


class _Lines:
    """Writes lines with the rate since the line before."""

    def __init__(self, name: str, arrived: Arrived, total: int | None, report: Report) -> None:
        self._name, self._arrived, self._total, self._report = name, arrived, total, report
        self._last = monotonic(), arrived()

    def next(self) -> None:
        before, bytes_before = self._last
        now, arrived = self._last = monotonic(), self._arrived()
        rate = (arrived - bytes_before) / (now - before)
        self._report(f"{self._name}: {status(arrived, self._total, rate)}")


def status(arrived: int, total: int | None, rate: float) -> str:
    """Return bytes, rate in bytes a second, and time left as far as they are known."""
    of_total = f" of {size(total)}" if total is not None else ""
    left = f", {(total - arrived) / rate:.0f} s left" if total is not None and rate > 0 else ""
    return f"{size(arrived)}{of_total}, {size(max(rate, 0))}/s{left}"


def size(count: float) -> str:
    """Return a number of bytes in MB or GB."""
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


@contextmanager
def _repeated(period: float, act: Callable[[], object]) -> Iterator[None]:
    """Call `act` every `period` seconds from a thread while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(period):
            act()

    thread = threading.Thread(target=watch, name="download progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
