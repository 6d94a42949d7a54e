"""What /metrics reports after requests that end in each way."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.http.metrics import Metrics
from server.http.telemetry import Trace
from server.inference.phases import PHASES
from tests.server.fakes import FakeModel
from tests.server.serving import App, acquired, all_waiting, app
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio


async def scrape(served: App) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and its labels' values, in the order of the labels' names."""
    answer = await served.client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_requests_by_status_and_error() -> None:
    """Requests are counted by status, error_type and surface, except for health and metrics."""
    async with app() as served:
        for image in (b"picture", b"cut", b"cut", b"defect"):
            await served.caption(image)
        await served.client.get("/pictures")
        await served.client.get("/health/live")
        metrics = await scrape(served)

    counted = {sample: n for sample, n in metrics.items() if sample[0] == "caption_requests_total"}
    assert counted == {
        ("caption_requests_total", "", "200", "caption"): 1,
        ("caption_requests_total", "undecodable_image", "422", "caption"): 2,
        ("caption_requests_total", "internal_error", "500", "caption"): 1,
        ("caption_requests_total", "not_found", "404", ""): 1,
    }


async def test_phases() -> None:
    """Every phase of a caption is a histogram in seconds."""
    async with app() as served:
        await served.caption()
        metrics = await scrape(served)

    for phase in ("request", *PHASES):
        assert metrics[f"caption_{phase}_seconds_count",] == (phase != "wait")
    seconds = sum(metrics[f"caption_{phase}_seconds_sum",] for phase in PHASES)
    assert 0 < seconds < metrics["caption_request_seconds_sum",]


async def test_phases_of_coalesced_requests() -> None:
    """Eight requests that share one inference record one encode, and seven waits."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner) as served:
        requests = [asyncio.create_task(served.caption(b"same")) for _ in range(8)]
        await all_waiting(served.resources, 8)
        captioner.gate.set()
        answers = await asyncio.gather(*requests)
        metrics = await scrape(served)

    for phase in ("lease", "queue", "preprocess", "encode", "decode", "store"):
        assert metrics[f"caption_{phase}_seconds_count",] == 1, phase
    assert metrics["caption_wait_seconds_count",] == 7
    for phase in ("read", "cache", "request"):
        assert metrics[f"caption_{phase}_seconds_count",] == 8, phase
    assert sum("wait;dur=" in answer.headers["server-timing"] for answer in answers) == 7


def test_phase_without_a_metric(caplog: pytest.LogCaptureFixture) -> None:
    """A phase or cache status without a metric is logged once, and the rest is recorded."""
    metrics = Metrics()
    for _ in range(2):
        trace = Trace("id", cache=["STALE", "HIT"], phases={"lunch": 1.0, "read": 1.0})
        metrics.record(200, trace, 1.0)

    counted = metrics.registry.get_sample_value
    assert counted("caption_read_seconds_count") == 2
    assert counted("caption_cache_hits_total") == 2
    labels = {"status": "200", "error_type": "", "surface": ""}
    assert counted("caption_requests_total", labels) == 2
    assert caplog.text.count("'lunch'") == caplog.text.count("'STALE'") == 1


async def test_cache(valkey: Valkey) -> None:
    """Hits, misses, bypasses and cache failures are counted, and the circuit breaker shows."""
    async with app(redis_url=valkey.url, redis_timeout=5.0) as served:
        await served.caption()
        await served.caption()
        await served.caption(headers={"cache-control": "no-cache"})
        metrics = await scrape(served)
        assert metrics["caption_cache_hits_total",] == 1
        assert metrics["caption_cache_misses_total",] == 1
        assert metrics["caption_cache_bypasses_total",] == 1
        assert metrics["caption_cache_errors_total",] == 0
        assert metrics["caption_cache_breaker_open",] == 0

        valkey.kill()
        for _ in range(3):
            await served.caption()
        metrics = await scrape(served)
        assert metrics["caption_cache_errors_total",] == 3
        assert metrics["caption_cache_breaker_open",] == 1


async def test_at_work() -> None:
    """Queue and requests in flight show while the server works, and coalesced requests later."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner, max_in_flight=3, batch_size=1) as served:
        requests = [
            asyncio.create_task(served.caption(image)) for image in (b"one", b"other", b"other")
        ]
        await all_waiting(served.resources, 3)
        await acquired(captioner.started)
        assert (await served.caption(b"third")).status_code == 503
        async with asyncio.timeout(30):
            while (metrics := await scrape(served))["caption_queue_length",] != 1:
                pass
        assert metrics["caption_requests_in_flight",] == 3

        captioner.gate.set()
        await asyncio.gather(*requests)
        metrics = await scrape(served)
        assert metrics["caption_requests_in_flight",] == 0
        assert metrics["caption_queue_length",] == 0
        assert metrics["caption_coalesced_total",] == 1


async def test_model() -> None:
    """The served model is reported by name, precision and digest."""
    async with app() as served:
        metrics = await scrape(served)

    assert metrics["caption_model_info", served.captioner.digest, "fake", "fp32"] == 1
