"""What a download shows while it runs."""

import threading

import pytest

import server.hub.progress
from server.hub.progress import progress, status

DEADLINE = 30.0  # seconds


def test_lines_have_bytes_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from a terminal there is a line each period."""
    monkeypatch.setattr(server.hub.progress, "LINE_PERIOD", 0.001)
    lines: list[str] = []
    enough = threading.Event()

    def report(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            enough.set()

    with progress("download it", lambda: 1_000_000, 3_000_000, report, bar=False):
        assert enough.wait(DEADLINE)

    assert set(lines) == {"download it: 1.0 MB of 3.0 MB, 0.0 MB/s"}


@pytest.mark.parametrize(
    ("arrived", "total", "rate", "text"),
    [
        (120_000_000, 990_000_000, 1e7, "120.0 MB of 990.0 MB, 10.0 MB/s, 87 s left"),
        (120_000_000, 2_500_000_000, 0.0, "120.0 MB of 2.50 GB, 0.0 MB/s"),
        (120_000_000, None, 1e6, "120.0 MB, 1.0 MB/s"),
    ],
)
def test_status(arrived: int, total: int | None, rate: float, text: str) -> None:
    """Time left is shown where total and rate are known."""
    assert status(arrived, total, rate) == text


def test_a_bar_shows_what_arrived(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal a bar has the share, the bytes, the rate and the time left."""
    monkeypatch.setattr(server.hub.progress, "BAR_PERIOD", 0.001)
    asked = threading.Semaphore(0)
    arrived = iter([0, *[3_000_000] * 1_000_000])

    def count() -> int:
        asked.release()
        return next(arrived)

    with progress("download it", count, 4_000_000, lambda _: None, bar=True):
        # tqdm draws at most every tenth of a second.
        for _ in range(300):
            assert asked.acquire(timeout=DEADLINE)

    shown = capsys.readouterr().err
    assert "download it  75% |" in shown
    assert "3.00M of 4.00M" in shown
    assert "left" in shown
