import numpy as np

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


def test_events_weigh_what_they_keep_and_results_are_the_jobs():
    assert size_of(TextPiece("é" * 100)) - size_of(TextPiece("")) == 200
    assert size_of(found(3)) == size_of(found(0))
    assert size_of(Progress(1, 2)) == size_of(Finished(Answer(text="x" * 1000))) < 100
