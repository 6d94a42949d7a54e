"""What Prometheus gets: counted as requests end, or read off the server's parts at a scrape."""

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
from server.captioning.model.manifest import Manifest
from server.http.admission import Admission
from server.http.telemetry import Trace
from server.inference.batcher import ContinuousBatcher

PHASES = ("read", "cache", "wait", "lease", "preprocess", "queue", "encode", "decode", "store")

#: In seconds: a look-up takes well under 1 ms, ten beams of a large model some seconds.
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
            "Requests answered, but those for health and metrics.",
            ("status", "error_type"),
            registry=self.registry,
        )
        self._cache = {
            status: Counter(name, help, registry=self.registry)
            for status, (name, help) in _CACHE_COUNTERS.items()
        }
        self._request_seconds = self._histogram("caption_request_seconds", "Time to a caption.")
        self._phase_seconds = {
            phase: self._histogram(
                f"caption_{phase}_seconds", f"Time of a caption's {phase} phase."
            )
            for phase in PHASES
        }

    def record(self, status: int, trace: Trace, seconds: float) -> None:
        """Count a request that has ended, and time it if it got a caption."""
        self._requests.labels(str(status), trace.error_type or "").inc()
        if trace.cache:
            self._cache[trace.cache].inc()
            self._request_seconds.observe(seconds)
        for phase, took in trace.phases.items():
            self._phase_seconds[phase].observe(took)

    def _histogram(self, name: str, help: str) -> Histogram:
        return Histogram(name, help, buckets=BUCKETS, registry=self.registry)


class PartsCollector(Collector):
    """What the server's parts know of themselves, read at each scrape."""

    def __init__(
        self,
        admission: Admission,
        batcher: ContinuousBatcher,
        cache: CaptionCache,
        model: Manifest,
        digest: str,
    ) -> None:
        self._admission = admission
        self._batcher = batcher
        self._cache = cache
        self._model = {"name": model.name, "precision": model.precision, "digest": digest}

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "caption_requests_in_flight",
            "Caption requests that were admitted and not answered yet.",
            self._admission.in_flight,
        )
        yield GaugeMetricFamily(
            "caption_queue_length", "Pictures that wait for the model.", self._batcher.queued
        )
        yield CounterMetricFamily(
            "caption_cache_errors", "Cache operations that failed.", self._cache.errors
        )
        yield GaugeMetricFamily(
            "caption_cache_breaker_open",
            "1 while the cache is left alone because it failed, else 0.",
            self._cache.is_open,
        )
        yield InfoMetricFamily("caption_model", "The model that answers.", self._model)
