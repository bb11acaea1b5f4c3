import tracemalloc
from collections import deque

import numpy as np
import pytest

from visionllm.engine import Finished, Found, Progress, TextPiece
from visionllm.engine.events import size_of
from visionllm.types import Answer, Detections


def found(count: int) -> Found:
    return Found(
        Detections(
            boxes=np.zeros((count, 4), dtype=np.float32),
            scores=np.zeros(count, dtype=np.float32),
            class_ids=np.zeros(count, dtype=np.int64),
            size_hw=(80, 100),
            masks=np.zeros((count, 80, 100), dtype=np.bool_),
        ),
        None,
    )


@pytest.mark.parametrize("text", ["1234567 ", "é" * 100, "😀" * 50], ids=["short", "accents", "signs"])
def test_a_queue_of_events_takes_the_memory_that_is_counted(text: str):
    queue: deque[tuple[TextPiece, int]] = deque()
    tracemalloc.start()
    for number in range(20_000):  # more than the interpreter keeps of freed tuples
        event = TextPiece(f"{text}{number}")
        queue.append((event, size_of(event)))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.8 < sum(size for _, size in queue) / taken < 1.3


def test_results_are_the_jobs_and_weigh_nothing():
    assert size_of(found(3)) == size_of(found(0))
    assert size_of(Progress(1, 2)) == size_of(Finished(Answer(text="x" * 1000))) < 200
