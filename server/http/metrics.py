"""Metrics for Prometheus: counted as requests end, or read from the server's parts at a scrape."""

import logging
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from server.cache.interface import CaptionCache
from server.http.admission import Admission
from server.http.telemetry import Trace
from server.inference.model import CaptionModel
from server.inference.phases import PHASES
from server.inference.service import CaptionService

logger = logging.getLogger(__name__)

#: Seconds. A look-up takes well under 1 ms, ten beams of a large model take seconds.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_CACHE_COUNTERS = {
    "HIT": ("caption_cache_hits", "Captions that came from the cache."),
    "MISS": ("caption_cache_misses", "Captions that were not in the cache and were inferred."),
    "COALESCED": ("caption_coalesced", "Captions shared with an equal request in progress."),
    "BYPASS": ("caption_cache_bypasses", "Captions inferred anew by Cache-Control: no-cache."),
}


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "caption_requests",
            "Requests answered, except those for health and metrics.",
            ("status", "error_type", "surface"),
            registry=self.registry,
        )
        self._cache: dict[str, Counter] = {
            status: Counter(name, help, registry=self.registry)
            for status, (name, help) in _CACHE_COUNTERS.items()
        }
        self._request_seconds = self._histogram("caption_request_seconds", "Time to a caption.")
        self._phase_seconds: dict[str, Histogram] = {
            phase: self._histogram(f"caption_{phase}_seconds", help)
            for phase, help in PHASES.items()
        }
        self._unknown: set[str] = set()

    def record(self, status: int, trace: Trace, seconds: float) -> None:
        """Count a request that has ended, and time it if it got a caption.

        Never raises: it runs after the answer. A cache status or phase without a metric is skipped
        and logged once.
        """
        self._requests.labels(str(status), trace.error_type or "", trace.surface).inc()
        for cache_status in trace.cache:
            if counter := self._cache.get(cache_status):
                counter.inc()
            else:
                self._skip(f"cache status {cache_status!r}")
        if trace.cache:
            self._request_seconds.observe(seconds)
        for phase, took in trace.phases.items():
            if histogram := self._phase_seconds.get(phase):
                histogram.observe(took)
            else:
                self._skip(f"phase {phase!r}")

    def _skip(self, name: str) -> None:
        if name not in self._unknown:
            self._unknown.add(name)
            logger.error("no metric for %s; see PHASES and CacheStatus in server.inference", name)

    def _histogram(self, name: str, help: str) -> Histogram:
        return Histogram(name, help, buckets=BUCKETS, registry=self.registry)


class PartsCollector(Collector):
    """Reads gauges from the server's parts at each scrape."""

    def __init__(
        self,
        admission: Admission,
        service: CaptionService,
        cache: CaptionCache,
        model: CaptionModel,
    ) -> None:
        self._admission = admission
        self._service = service
        self._cache = cache
        manifest = model.manifest
        self._model = {
            "name": manifest.name,
            "precision": manifest.precision,
            "digest": model.digest,
        }

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "caption_requests_in_flight",
            "Caption requests that are admitted and not answered yet.",
            self._admission.in_flight,
        )
        yield GaugeMetricFamily(
            "caption_queue_length", "Captions that wait for a batch slot.", self._service.queued
        )
        yield GaugeMetricFamily(
            "caption_requests_waiting",
            "Caption requests that wait for an inference, their own or an equal request's.",
            self._service.waiting,
        )
        yield GaugeMetricFamily(
            "caption_seconds_without_progress",
            "Seconds since decoding or the batcher progressed while captions wait, else 0.",
            self._service.seconds_without_progress(),
        )
        yield CounterMetricFamily(
            "caption_near_cache_hits",
            "Hits from the process's own near cache; the other hits came from the shared cache.",
            self._cache.near_hits,
        )
        yield CounterMetricFamily(
            "caption_cache_errors", "Cache operations that failed.", self._cache.errors
        )
        yield GaugeMetricFamily(
            "caption_cache_breaker_open",
            "1 while the circuit breaker keeps requests from a failed cache, else 0.",
            self._cache.is_open,
        )
        yield InfoMetricFamily("caption_model", "The model that is served.", self._model)
