"""What the formats of other tools share: boxes that were read, as detections."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm.types import Detections


def detections_of(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[str],
    size_hw: tuple[int, int],
    *,
    scores: Sequence[float] | None = None,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    names: Sequence[str] | None = None,
) -> Detections:
    """Return what another tool wrote as detections, best score first; without scores every instance counts as sure.

    Args:
        boxes: (x0, y0, x1, y1) in pixels each.
        labels: One a box.
        size_hw: (height, width) of the picture.
        scores: One a box, or None.
        masks: bool[H, W], one a box, or None.
        names: All class names in order; None takes the labels in the order in which they come.

    Raises:
        ValueError: If the lengths differ, a label is not among the names, or a number is not finite.
    """
    order = list(dict.fromkeys(labels if names is None else names))
    sure = np.ones(len(boxes)) if scores is None else scores
    if not len(boxes) == len(labels) == len(sure):
        raise ValueError(
            f"expected a label and a score a box, got {len(boxes)} boxes, {len(labels)} labels, {len(sure)} scores"
        )
    missing = [label for label in labels if label not in order]
    if missing:
        raise ValueError(f"expected a label among {', '.join(order)}, got {missing[0]!r}")
    corners = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    weights = np.array(sure, dtype=np.float32)
    if not (np.isfinite(corners).all() and np.isfinite(weights).all()):
        raise ValueError("expected finite boxes and scores, got NaN or infinity")
    found = Detections(
        boxes=corners,
        scores=weights,
        class_ids=np.array([order.index(label) for label in labels], dtype=np.int64),
        masks=np.stack(masks) if masks else None,
        size_hw=size_hw,
        class_names=tuple(order),
    )
    return found.select(np.argsort(-found.scores, kind="stable"))


def inside(detections: Detections) -> NDArray[np.float32]:
    """Return the boxes cut at the border of the picture, as formats want them that know no place outside of it."""
    height, width = detections.size_hw
    return detections.boxes.clip(0, np.array([width, height, width, height], dtype=np.float32))


def labels_of(detections: Detections) -> list[str]:
    """Return the label of each instance."""
    return [instance.label for instance in detections.instances]
