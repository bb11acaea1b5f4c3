"""Detections to and from COCO's JSON: the results list that scoring tools read, and whole annotated sets.

Boxes are (x, y, width, height) in pixels there; masks are compressed run lengths, as pycocotools writes them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from visionllm.types import Detections


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Encode bool[H, W] as COCO's compressed run lengths, ready for JSON.

    >>> encode_mask(np.array([[False, True], [False, True]]))
    {'size': [2, 2], 'counts': '22'}
    """
    plain = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    counts = plain["counts"]
    return {
        "size": [int(side) for side in plain["size"]],
        "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts,
    }


def decode_mask(segmentation: Any, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Read bool[H, W] from any of COCO's three forms: polygons, plain or compressed run lengths.

    Raises:
        ValueError: If the run lengths are of another size.
    """
    height, width = size_hw
    if isinstance(segmentation, list):
        coded = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        coded = coco_mask.frPyObjects(segmentation, *segmentation["size"])
    else:
        coded = segmentation
    if tuple(coded["size"]) != (height, width):
        raise ValueError(f"expected a mask of {height}x{width} pixels, got {'x'.join(map(str, coded['size']))}")
    return coco_mask.decode(coded).astype(bool)


def to_coco_results(detections: Detections, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
    """Turn the detections of one picture into entries of a COCO results list.

    Args:
        detections: What was found.
        image_id: The picture's id in the COCO set.
        category_ids: The id of every label.

    Raises:
        ValueError: If a label has no id.
    """
    return [
        {"image_id": image_id, **entry, "score": instance.score}
        for instance, entry in zip(detections.instances, _entries(detections, category_ids), strict=True)
    ]


def from_coco_results(
    results: Sequence[Mapping[str, Any]], image_id: int, category_names: Mapping[int, str], size_hw: tuple[int, int]
) -> Detections:
    """Read back the entries of one picture, best score first; entries of other pictures are left out.

    Args:
        results: A COCO results list.
        image_id: The picture to read.
        category_names: The name of every category id.
        size_hw: (height, width) of the picture.

    Raises:
        ValueError: If a category has no name, or only some entries have masks.
    """
    return _detections([entry for entry in results if entry["image_id"] == image_id], category_names, size_hw)


def to_coco_dataset(
    pictures: Mapping[str, Detections], category_ids: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Turn detections into an annotated COCO set, for labelling tools and for training.

    Args:
        pictures: What was found in each picture, by file name; picture ids count from 1 in this order.
        category_ids: The id of every label; None numbers the labels from 1 in alphabetical order.

    Raises:
        ValueError: If a label has no id.
    """
    if category_ids is None:
        labels = sorted({instance.label for detections in pictures.values() for instance in detections.instances})
        category_ids = {label: number for number, label in enumerate(labels, start=1)}
    images, annotations = [], []
    for image_id, (file_name, detections) in enumerate(pictures.items(), start=1):
        height, width = detections.size_hw
        images.append({"id": image_id, "file_name": file_name, "height": height, "width": width})
        for entry in _entries(detections, category_ids):
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **entry, "iscrowd": 0})
    categories = [{"id": number, "name": label} for label, number in category_ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def from_coco_dataset(dataset: Mapping[str, Any]) -> dict[str, Detections]:
    """Read the annotations of a COCO set as detections, by file name; crowd regions are left out.

    An annotation without a score, as people make it, counts as sure.

    Raises:
        ValueError: If a category has no name, or only some annotations of a picture have masks.
    """
    names = {category["id"]: category["name"] for category in dataset["categories"]}
    by_picture: dict[int, list[Mapping[str, Any]]] = {image["id"]: [] for image in dataset["images"]}
    for annotation in dataset["annotations"]:
        if not annotation.get("iscrowd"):
            by_picture[annotation["image_id"]].append(annotation)
    return {
        image["file_name"]: _detections(by_picture[image["id"]], names, (image["height"], image["width"]))
        for image in dataset["images"]
    }


def _entries(detections: Detections, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
    """Category, box, area and mask of every instance, as a result and an annotation share them."""
    entries = []
    for instance in detections.instances:
        if instance.label not in category_ids:
            raise ValueError(f"expected a category id for {instance.label!r}, got ids for {', '.join(category_ids)}")
        x0, y0, x1, y1 = instance.box
        entry: dict[str, Any] = {
            "category_id": category_ids[instance.label],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0),
        }
        if instance.mask is not None:
            entry |= {"segmentation": encode_mask(instance.mask), "area": int(instance.mask.sum())}
        entries.append(entry)
    return entries


def _detections(
    entries: Sequence[Mapping[str, Any]], category_names: Mapping[int, str], size_hw: tuple[int, int]
) -> Detections:
    missing = sorted({entry["category_id"] for entry in entries} - set(category_names))
    if missing:
        raise ValueError(f"expected a name for every category id, got none for {', '.join(map(str, missing))}")
    with_masks = {"segmentation" in entry for entry in entries}
    if len(with_masks) > 1:
        raise ValueError("expected masks in all entries of a picture or in none, got a mixture")
    rows = {category: row for row, category in enumerate(category_names)}
    corners = np.array([entry["bbox"] for entry in entries], dtype=np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    masks = [decode_mask(entry["segmentation"], size_hw) for entry in entries if "segmentation" in entry]
    found = Detections(
        boxes=corners,
        scores=np.array([entry.get("score", 1.0) for entry in entries], dtype=np.float32),
        class_ids=np.array([rows[entry["category_id"]] for entry in entries], dtype=np.int64),
        masks=np.stack(masks) if masks else None,
        size_hw=size_hw,
        class_names=tuple(category_names.values()),
    )
    return found.select(np.argsort(-found.scores, kind="stable"))
