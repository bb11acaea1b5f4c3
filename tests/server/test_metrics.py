"""The numbers of a server."""

from tests.server.stub import StubEngine
from visionllm.server.metrics import Metrics


def test_methods_that_nobody_knows_are_counted_together():
    engine = StubEngine()
    metrics = Metrics(lambda: engine.status)
    for method in ("PURGE", "X" * 1000):
        metrics.saw("none", method, 405, 0.1)
    engine.stop()
    assert b'visionllm_requests_total{method="other",route="none",status="405"} 2.0' in metrics.page()
    assert b"visionllm_engine_alive 0.0" in metrics.page()
