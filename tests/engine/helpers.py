"""Looking at an engine from outside."""

import time
from collections.abc import Callable

from visionllm.engine import Engine


def counted(engine: Engine, name: str) -> int:
    return engine.status.counters.get(name, 0)


def until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until something holds; tell whether it does."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.002)
    return holds()


def idle(engine: Engine) -> bool:
    return engine.status.running == 0 and engine.status.free_blocks == engine.status.total_blocks
