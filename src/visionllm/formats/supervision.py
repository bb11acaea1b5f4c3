"""Detections to and from `supervision`, for its annotators, trackers, counters and dataset converters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from visionllm.formats.coco import decode_mask, encode_mask
from visionllm.formats.plain import detections_of, labels_of
from visionllm.types import Detections

if TYPE_CHECKING:
    import supervision


def to_supervision(detections: Detections) -> "supervision.Detections":
    """Convert to `supervision.Detections`; labels are its `data["class_name"]`.

    Raises:
        ImportError: If supervision is not installed.
    """
    try:
        import supervision  # an optional dependency
    except ModuleNotFoundError as missing:
        raise ImportError("to_supervision needs supervision: pip install 'visionllm-v2[supervision]'") from missing
    return supervision.Detections(
        xyxy=detections.boxes.copy(),
        mask=None if detections.masks is None else detections.masks.copy(),
        confidence=detections.scores.copy(),
        class_id=detections.class_ids.copy(),
        data={"class_name": np.array([instance.label for instance in detections.instances], dtype=str)},
    )


def from_supervision(found: "supervision.Detections", size_hw: tuple[int, int]) -> Detections:
    """Convert from `supervision.Detections`, best score first; a missing confidence counts as 1, a missing class as 0.

    Args:
        found: Detections of one picture.
        size_hw: (height, width) of the picture, which supervision does not keep.

    Raises:
        ValueError: If the masks are of another size, or one class id has two names.
    """
    count = len(found.xyxy)
    class_ids = np.zeros(count, dtype=np.int64) if found.class_id is None else found.class_id.astype(np.int64)
    labels = np.asarray(found.data.get("class_name", class_ids), dtype=str)
    names = dict(zip(class_ids.tolist(), labels.tolist(), strict=True))
    for class_id, label in zip(class_ids.tolist(), labels.tolist(), strict=True):
        if names[class_id] != label:
            raise ValueError(f"expected one name for class id {class_id}, got {label!r} and {names[class_id]!r}")
    rows = {class_id: row for row, class_id in enumerate(sorted(names))}
    scores = np.ones(count) if found.confidence is None else found.confidence
    ours = Detections(
        boxes=np.asarray(found.xyxy, dtype=np.float32),
        scores=np.asarray(scores, dtype=np.float32),
        class_ids=np.array([rows[class_id] for class_id in class_ids.tolist()], dtype=np.int64),
        masks=None if found.mask is None else np.asarray(found.mask, dtype=bool),
        size_hw=size_hw,
        class_names=tuple(names[class_id] for class_id in sorted(names)),
    )
    return ours.select(np.argsort(-ours.scores, kind="stable"))


def to_supervision_plain(detections: Detections) -> dict[str, Any]:
    """Return the fields of `supervision.Detections` as plain data; masks as COCO's compressed run lengths.

    >>> to_supervision_plain(detections_of([[1, 2, 3, 4]], ["star"], (20, 40)))["data"]
    {'class_name': ['star']}
    """
    masks = detections.masks
    return {
        "xyxy": detections.boxes.tolist(),
        "mask": None if masks is None else [encode_mask(mask) for mask in masks],
        "confidence": detections.scores.tolist(),
        "class_id": detections.class_ids.tolist(),
        "data": {"class_name": labels_of(detections)},
        "metadata": {"size_hw": list(detections.size_hw)},
    }


def from_supervision_plain(plain: Mapping[str, Any]) -> Detections:
    """Read back what `to_supervision_plain` wrote, best score first; classes are numbered anew.

    Raises:
        ValueError: If the lengths differ, or a mask is of another size.
    """
    height, width = plain["metadata"]["size_hw"]
    masks = plain["mask"]
    return detections_of(
        plain["xyxy"],
        plain["data"]["class_name"],
        (height, width),
        scores=plain["confidence"],
        masks=None if masks is None else [decode_mask(mask, (height, width)) for mask in masks],
    )
