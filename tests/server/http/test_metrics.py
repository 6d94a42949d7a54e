"""What /metrics says after requests that end in every way."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.fakes import FakeModel
from tests.server.serving import App, app, until
from tests.server.valkey import Valkey

pytestmark = pytest.mark.anyio


async def scrape(served: App) -> dict[tuple[str, ...], float]:
    """Each sample's value, by its name and the values of its labels, which are sorted by name."""
    answer = await served.client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_requests_by_status_and_error() -> None:
    """Requests are counted by status and error_type, but not those for health and metrics."""
    async with app() as served:
        for image in (b"picture", b"cut", b"cut", b"defect"):
            await served.caption(image)
        await served.client.get("/captions")
        await served.client.get("/health/live")
        metrics = await scrape(served)

    counted = {sample: n for sample, n in metrics.items() if sample[0] == "caption_requests_total"}
    assert counted == {
        ("caption_requests_total", "", "200"): 1,
        ("caption_requests_total", "undecodable_image", "422"): 2,
        ("caption_requests_total", "internal_error", "500"): 1,
        ("caption_requests_total", "not_found", "404"): 1,
    }


async def test_phases() -> None:
    """Every phase of a caption is a histogram in seconds."""
    async with app() as served:
        await served.caption()
        metrics = await scrape(served)

    for phase in (
        "request",
        "read",
        "cache",
        "lease",
        "preprocess",
        "queue",
        "encode",
        "decode",
        "store",
    ):
        assert metrics[f"caption_{phase}_seconds_count",] == 1
    phases = [metrics[f"caption_{phase}_seconds_sum",] for phase in ("encode", "decode")]
    assert 0 < sum(phases) < metrics["caption_request_seconds_sum",]


async def test_cache(valkey: Valkey) -> None:
    """Hits, misses, bypasses and a cache that fails are counted, and whether it is left alone."""
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
    """While the server works, queue and requests in flight show, and shared work afterwards."""
    captioner = FakeModel()
    captioner.gate.clear()
    async with app(captioner, max_in_flight=3) as served:
        requests = [
            asyncio.create_task(served.caption(image)) for image in (b"one", b"other", b"other")
        ]
        await until(lambda: served.resources["service"].waiting == 3)
        assert await asyncio.to_thread(captioner.started.acquire, timeout=30)
        assert (await served.caption(b"third")).status_code == 503
        metrics = await scrape(served)
        assert metrics["caption_requests_in_flight",] == 3
        assert metrics["caption_queue_length",] == 1

        captioner.gate.set()
        await asyncio.gather(*requests)
        metrics = await scrape(served)
        assert metrics["caption_requests_in_flight",] == 0
        assert metrics["caption_queue_length",] == 0
        assert metrics["caption_coalesced_total",] == 1


async def test_model() -> None:
    """The model that answers is there by name, precision and digest."""
    async with app() as served:
        metrics = await scrape(served)

    assert metrics["caption_model_info", served.captioner.digest, "fake", "fp32"] == 1
