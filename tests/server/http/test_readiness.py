"""What /health says about a model that makes no progress, and about drain."""

import asyncio
import logging
from typing import Literal

import pytest

from server.errors import Draining, Stalled
from server.http.admission import Admission
from server.http.readiness import Readiness
from tests.server.http.hanging import HangingModel
from tests.server.serving import App, acquired, app

pytestmark = pytest.mark.anyio

STALL_TIMEOUT = 30.0


class Progress:
    """Seconds without progress, as a test sets them."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def readiness(progress: Progress) -> Readiness:
    return Readiness(Admission(1, receive_timeout=1.0), progress, STALL_TIMEOUT)


def test_ready_fails_before_live() -> None:
    """A stall fails readiness after the stall timeout, and liveness after three of them."""
    progress = Progress()
    health = readiness(progress)
    for seconds, ready, live in (
        (0.0, True, True),
        (STALL_TIMEOUT, True, True),
        (STALL_TIMEOUT + 1, False, True),
        (3 * STALL_TIMEOUT, False, True),
        (3 * STALL_TIMEOUT + 1, False, False),
        (0.0, True, True),
    ):
        progress.seconds = seconds
        for require, passes in ((health.require_ready, ready), (health.require_live, live)):
            if passes:
                require()
            else:
                with pytest.raises(Stalled, match="no progress"):
                    require()


def test_one_line_a_stall(caplog: pytest.LogCaptureFixture) -> None:
    """However often a stall is seen it is logged once, and a later stall is logged again."""
    progress = Progress()
    health = readiness(progress)
    for _ in range(2):
        progress.seconds = STALL_TIMEOUT + 1
        for _ in range(3):
            health.check()
        progress.seconds = 0.0
        health.check()

    assert caplog.text.count("stalled") == 2


async def test_watch_needs_no_probe(caplog: pytest.LogCaptureFixture) -> None:
    """A stall is logged although nobody asks for /health."""
    progress = Progress()
    progress.seconds = 1.0
    health = Readiness(Admission(1, receive_timeout=1.0), progress, 0.004)
    async with health.watching(), asyncio.timeout(30):
        while "stalled" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0)


def test_drain_is_not_a_stall() -> None:
    """A server that drains is not ready, and live."""
    admission = Admission(1, receive_timeout=1.0)
    health = Readiness(admission, Progress(), STALL_TIMEOUT)
    admission.announce_drain()

    with pytest.raises(Draining):
        health.require_ready()
    health.require_live()


async def answers(served: App, path: str, status: int) -> None:
    """Probe until the answer has a status."""
    async with asyncio.timeout(30):
        while (await served.client.get(path)).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0)  # Without a socket, a request never waits for the event loop.


@pytest.mark.parametrize("place", ["decode", "step"])
async def test_model_that_hangs(
    place: Literal["decode", "step"], caplog: pytest.LogCaptureFixture
) -> None:
    """A picture or step that hangs turns ready and live to 503 with one log line, until it ends."""
    model = HangingModel(hangs_in=place)
    async with app(model, stall_timeout=0.02) as served:
        try:
            assert (await served.client.get("/health/ready")).status_code == 200
            caption = asyncio.create_task(served.caption())
            await acquired(model.hanging)

            await answers(served, "/health/ready", 503)
            await answers(served, "/health/live", 503)
            answer = await served.client.get("/health/ready")
            assert answer.json()["error_type"] == "stalled"
            assert "no progress" in answer.json()["error"]
            assert int(answer.headers["retry-after"]) >= 1
            stalls = [r for r in caplog.records if r.name == "server.http.readiness"]
            assert len(stalls) == 1
            assert stalls[0].levelno == logging.ERROR
        finally:
            model.released.set()

        assert (await caption).status_code == 200
        await answers(served, "/health/ready", 200)
        assert (await served.client.get("/health/live")).status_code == 200
