"""Numbers for Prometheus: requests by route, and how the engine is."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from visionllm.server.backend import Status

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")


class Metrics:
    """The numbers of one server.

    Args:
        status: Returns how the engine is.
    """

    def __init__(self, status: Callable[[], Status]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "visionllm_requests", "Requests by outcome.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "visionllm_request_seconds", "Seconds a request took.", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.open = Gauge("visionllm_open_requests", "Requests that are open.", registry=self.registry)
        self.registry.register(_OfEngine(status))

    def saw(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that has ended.

        Args:
            route: The path as the app has it, with placeholders; never what a client wrote.
            method: Its method; unknown ones are counted together.
            status: Of the response.
            seconds: It took.
        """
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Return everything in Prometheus' text form."""
        return generate_latest(self.registry)


class _OfEngine(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        values = {
            "alive": (status.alive, "Whether the engine works."),
            "draining": (status.draining, "Whether it takes nothing new."),
            "queued": (status.queued, "Jobs that wait."),
            "running": (status.running, "Jobs that are worked on."),
            "free_blocks": (status.free_blocks, "Blocks of the cache that nobody uses."),
            "total_blocks": (status.total_blocks, "All blocks of the cache."),
        }
        for name, (value, told) in values.items():
            yield GaugeMetricFamily(f"visionllm_engine_{name}", told, value=float(value))
        counted = CounterMetricFamily("visionllm_engine_events", "What the engine counts.", labels=("event",))
        for name, count in dict(status.counters).items():
            counted.add_metric([str(name)], float(count))
        yield counted
