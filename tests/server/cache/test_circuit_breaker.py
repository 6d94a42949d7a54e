import asyncio
from collections.abc import Awaitable, Callable

import pytest

from server.cache.circuit_breaker import CircuitBreaker
from server.cache.store import StoreUnreachable

pytestmark = pytest.mark.anyio

ERROR = StoreUnreachable("no answer")


def probe_with(*outcomes: Exception | None) -> Callable[[], Awaitable[None]]:
    """Return a probe that raises or returns the given outcomes, one at each call."""
    remaining = iter(outcomes)

    async def probe() -> None:
        if outcome := next(remaining):
            raise outcome

    return probe


async def closed(breaker: CircuitBreaker) -> None:
    async with asyncio.timeout(30):
        while breaker.is_open:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_opens_after_consecutive_failures() -> None:
    """Failures open the breaker if no success comes between them."""
    breaker = CircuitBreaker(probe_with(), failures_to_open=2, seconds_between_probes=60)
    breaker.record_failure(ERROR)
    breaker.record_success()
    breaker.record_failure(ERROR)
    assert not breaker.is_open

    breaker.record_failure(ERROR)

    assert breaker.is_open
    await breaker.aclose()


async def test_closes_after_a_successful_probe(caplog: pytest.LogCaptureFixture) -> None:
    """The breaker probes until one succeeds. Opening and closing are one log line each."""
    caplog.set_level("INFO")
    breaker = CircuitBreaker(probe_with(ERROR, ERROR, None), seconds_between_probes=0)
    breaker.open(ERROR)
    breaker.open(ERROR)

    await closed(breaker)

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_defect_in_the_probe(caplog: pytest.LogCaptureFixture) -> None:
    """A defect in the probe is logged once with its traceback, and probing continues."""
    defect = TypeError("a defect")
    breaker = CircuitBreaker(probe_with(defect, defect, None), seconds_between_probes=0)
    breaker.open(ERROR)

    await closed(breaker)

    assert caplog.text.count("TypeError: a defect") == 1
