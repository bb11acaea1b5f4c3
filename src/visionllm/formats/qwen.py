"""Detections to and from the JSON in which Qwen2.5-VL grounds things: whole pixels and labels, no scores, no masks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from visionllm.formats.plain import detections_of, inside, labels_of
from visionllm.types import Detections

_FENCE = "```"


def to_qwen(detections: Detections) -> list[dict[str, Any]]:
    """Return boxes and labels, best score first; boxes are cut at the border and rounded to whole pixels.

    >>> to_qwen(detections_of([[1.2, 2, 2.8, 4]], ["star"], (20, 40)))
    [{'bbox_2d': [1, 2, 3, 4], 'label': 'star'}]
    """
    boxes = inside(detections).round().astype(int).tolist()
    return [{"bbox_2d": box, "label": label} for box, label in zip(boxes, labels_of(detections), strict=True)]


def from_qwen(answer: str | Sequence[Mapping[str, Any]], size_hw: tuple[int, int]) -> Detections:
    """Read boxes and labels back.

    Args:
        answer: The list, or the text of an answer that holds it, fenced as the model writes it or bare.
        size_hw: (height, width) of the picture as the model saw it.

    Raises:
        ValueError: If the text holds no such list, or an entry no box of four numbers or no label.
    """
    entries = _parsed(answer) if isinstance(answer, str) else answer
    boxes, labels = [], []
    for number, entry in enumerate(entries):
        box = entry.get("bbox_2d") if isinstance(entry, Mapping) else None
        label = entry.get("label") if isinstance(entry, Mapping) else None
        if not isinstance(box, Sequence) or len(box) != 4 or not isinstance(label, str):
            raise ValueError(f"entry {number}: expected a bbox_2d of four numbers and a label, got {entry!r}")
        boxes.append([float(side) for side in box])
        labels.append(label)
    return detections_of(boxes, labels, size_hw)


def _parsed(answer: str) -> list[Any]:
    text = answer.strip()
    if text.startswith(_FENCE):
        text = text.removeprefix(_FENCE).removeprefix("json").removesuffix(_FENCE)
    try:
        entries = json.loads(text)
    except json.JSONDecodeError:
        entries = None
    if not isinstance(entries, list):
        raise ValueError(f"expected a JSON list of boxes, got {answer[:80]!r}")
    return entries
