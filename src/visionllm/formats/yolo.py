"""Detections to and from the label files of YOLO: a line a box, in shares of the picture.

A line is `class cx cy w h`, with the score behind it where a model wrote it; class numbers count from 0 in a list of
names that stands elsewhere. Masks are no part of these lines.
"""

from collections.abc import Sequence
from typing import Any

from visionllm.formats.plain import detections_of, inside, labels_of
from visionllm.types import Detections


def to_yolo(detections: Detections, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the lines of one picture, boxes cut at its border, and the names that their numbers mean.

    Args:
        detections: What was found.
        names: All classes of the data set in order; None takes those that were asked for.

    Raises:
        ValueError: If a label is not among the names.

    >>> found = detections_of([[10, 0, 30, 10]], ["star"], (20, 40), scores=[0.5])
    >>> to_yolo(found)
    {'names': ['star'], 'lines': ['0 0.500000 0.250000 0.500000 0.500000 0.500000']}
    """
    height, width = detections.size_hw
    labels = labels_of(detections)
    order = list(names if names is not None else detections.class_names or dict.fromkeys(labels))
    lines = []
    for label, box, score in zip(labels, inside(detections).tolist(), detections.scores.tolist(), strict=True):
        if label not in order:
            raise ValueError(f"expected a label among {', '.join(order)}, got {label!r}")
        x0, y0, x1, y1 = box
        shares = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height, score)
        lines.append(" ".join([str(order.index(label)), *(f"{share:.6f}" for share in shares)]))
    return {"names": order, "lines": lines}


def from_yolo(lines: Sequence[str], names: Sequence[str], size_hw: tuple[int, int]) -> Detections:
    """Read lines back, best score first; a line without a score counts as sure.

    Args:
        lines: Of one picture.
        names: What the class numbers mean.
        size_hw: (height, width) of the picture, which the lines don't say.

    Raises:
        ValueError: If a line has another form, or a class number no name; with the number of the line.
    """
    height, width = size_hw
    boxes, labels, scores = [], [], []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        try:
            group, values = int(words[0]), [float(word) for word in words[1:]]
        except (ValueError, IndexError):
            group, values = -1, []
        if len(values) not in (4, 5):
            raise ValueError(f"line {number}: expected a class number, cx, cy, w, h and perhaps a score, got {line!r}")
        if not 0 <= group < len(names):
            raise ValueError(f"line {number}: expected a class number in [0, {len(names)}), got {group}")
        cx, cy, w, h = values[:4]
        boxes.append([(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height])
        labels.append(names[group])
        scores.append(values[4] if len(values) == 5 else 1.0)
    return detections_of(boxes, labels, size_hw, scores=scores, names=names)
