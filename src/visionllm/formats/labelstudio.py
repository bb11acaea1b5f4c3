"""Detections to and from the tasks of Label Studio: predictions that a labeller starts from, and their corrections.

Boxes are in hundredths of the picture; masks are brush strokes, as run lengths over RGBA bytes.
"""

from collections.abc import Mapping
from typing import Any

from visionllm.formats.plain import detections_of, inside, labels_of
from visionllm.formats.rle_pack import pack_mask, unpack_mask
from visionllm.types import Detections

_BOX, _BRUSH = "rectanglelabels", "brushlabels"


def to_labelstudio(
    detections: Detections, image: str, *, from_name: str = "label", to_name: str = "image", model: str = "visionllm"
) -> dict[str, Any]:
    """Return a task with one prediction; each instance is a box, and a brush stroke of the same id where it has a mask.

    Args:
        detections: What was found; boxes are cut at the border of the picture.
        image: Where Label Studio finds the picture.
        from_name: Name of the control tag of the project's labelling set-up.
        to_name: Name of its object tag.
        model: What the prediction is said to come from.
    """
    height, width = detections.size_hw
    result: list[dict[str, Any]] = []
    rows = zip(labels_of(detections), inside(detections).tolist(), detections.scores.tolist(), strict=True)
    for number, (label, (x0, y0, x1, y1), score) in enumerate(rows):
        common = {"id": str(number), "from_name": from_name, "to_name": to_name, "score": score}
        common |= {"original_width": width, "original_height": height, "image_rotation": 0}
        place = {"x": 100 * x0 / width, "y": 100 * y0 / height}
        place |= {"width": 100 * (x1 - x0) / width, "height": 100 * (y1 - y0) / height, "rotation": 0}
        result.append(common | {"type": _BOX, "value": place | {_BOX: [label]}})
        if detections.masks is not None:
            strokes = {"format": "rle", "rle": pack_mask(detections.masks[number]), _BRUSH: [label]}
            result.append(common | {"type": _BRUSH, "value": strokes})
    score = float(detections.scores.mean()) if len(detections) else 0.0
    prediction = {"model_version": model, "score": score, "result": result}
    return {"data": {to_name: image}, "predictions": [prediction]}


def from_labelstudio(task: Mapping[str, Any]) -> Detections:
    """Read boxes with their masks back, best score first; annotations of people go before predictions.

    A label without a score, as people give it, counts as sure.

    Raises:
        ValueError: If there is nothing to read, a box is turned or has not one label, a stroke has no box of its id, or
            only some boxes have strokes.
    """
    sources = list(task.get("annotations") or task.get("predictions") or [])
    if not sources or not sources[0]["result"]:
        raise ValueError("expected a task with an annotation or a prediction that holds boxes, got none")
    entries = sources[0]["result"]
    size_hw = (entries[0]["original_height"], entries[0]["original_width"])
    boxes = [entry for entry in entries if entry["type"] == _BOX]
    strokes = {entry["id"]: entry for entry in entries if entry["type"] == _BRUSH}
    lonely = set(strokes) - {entry["id"] for entry in boxes}
    if lonely or len(strokes) not in (0, len(boxes)):
        raise ValueError(f"expected a brush stroke for each of {len(boxes)} boxes or for none, got {len(strokes)}")
    return detections_of(
        [_corners(entry["value"], size_hw) for entry in boxes],
        [_label(entry["value"]) for entry in boxes],
        size_hw,
        scores=[entry.get("score", 1.0) for entry in boxes],
        masks=[unpack_mask(strokes[entry["id"]]["value"]["rle"], size_hw) for entry in boxes if strokes],
    )


def _corners(value: Mapping[str, Any], size_hw: tuple[int, int]) -> list[float]:
    if value.get("rotation"):
        raise ValueError(f"expected upright boxes, got one that is turned by {value['rotation']}°")
    height, width = size_hw
    x, y = value["x"] * width / 100, value["y"] * height / 100
    return [x, y, x + value["width"] * width / 100, y + value["height"] * height / 100]


def _label(value: Mapping[str, Any]) -> str:
    labels = value[_BOX]
    if len(labels) != 1:
        raise ValueError(f"expected one label a box, got {labels}")
    return labels[0]
