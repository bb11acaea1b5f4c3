"""Detections to draw."""

from collections.abc import Callable

import numpy as np
import pytest

from visionllm.types import Detections

MakeDetections = Callable[..., Detections]


@pytest.fixture
def make_detections() -> MakeDetections:
    """Make detections of a 40×30 picture: `make_detections(boxes, labels, masks=False)`."""

    def make(boxes: list[tuple[float, float, float, float]], labels: list[str], *, masks: bool = False) -> Detections:
        names = tuple(dict.fromkeys(labels))
        pixels = np.zeros((len(boxes), 30, 40), dtype=bool)
        for mask, (x0, y0, x1, y1) in zip(pixels, boxes, strict=True):
            mask[int(y0) : int(y1), int(x0) : int(x1)] = True
        return Detections(
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            scores=np.linspace(0.9, 0.5, len(boxes), dtype=np.float32),
            class_ids=np.array([names.index(label) for label in labels], dtype=np.int64),
            masks=pixels if masks else None,
            size_hw=(30, 40),
            class_names=names,
            spans=tuple((0, len(name)) for name in names),
        )

    return make
