"""Detections to and from what the processor of Florence-2 returns for its task `<OD>`: boxes in pixels, labels.

Florence-2 says no scores and, for this task, no masks: neither is there, and what is read counts as sure.
"""

from collections.abc import Mapping
from typing import Any

from visionllm.formats.plain import detections_of, inside, labels_of
from visionllm.types import Detections

TASK = "<OD>"


def to_florence2(detections: Detections) -> dict[str, Any]:
    """Return boxes and labels, best score first; boxes are cut at the border of the picture.

    >>> to_florence2(detections_of([[1, 2, 3, 4]], ["star"], (20, 40)))
    {'<OD>': {'bboxes': [[1.0, 2.0, 3.0, 4.0]], 'labels': ['star']}}
    """
    return {TASK: {"bboxes": inside(detections).tolist(), "labels": labels_of(detections)}}


def from_florence2(result: Mapping[str, Any], size_hw: tuple[int, int]) -> Detections:
    """Read boxes and labels back.

    Args:
        result: With the one key `<OD>`.
        size_hw: (height, width) of the picture.

    Raises:
        ValueError: If it is the result of another task, or there is not one label a box.
    """
    if list(result) != [TASK]:
        raise ValueError(f"expected the result of the task {TASK}, got {', '.join(result) or 'nothing'}")
    return detections_of(result[TASK]["bboxes"], result[TASK]["labels"], size_hw)
