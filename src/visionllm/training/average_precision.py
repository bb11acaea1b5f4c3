"""COCO's average precision for training callbacks: plain boxes and masks in, four numbers out."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from visionllm.types import Detections

TruthBox = tuple[tuple[float, float, float, float], int, NDArray[np.bool_]]


def _xywh(box: Sequence[float]) -> list[float]:
    x0, y0, x1, y1 = (float(v) for v in box)
    return [x0, y0, x1 - x0, y1 - y0]


def _truth(truths: Sequence[Sequence[TruthBox]], sizes_hw: Sequence[tuple[int, int]]) -> COCO:
    rows = [(image, *thing) for image, things in enumerate(truths) for thing in things]
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate(sizes_hw)],
        "categories": [{"id": k} for k in sorted({kind for _, _, kind, _ in rows})],
        "annotations": [
            {
                "id": number, "image_id": image, "category_id": kind, "bbox": _xywh(box), "area": int(mask.sum()), "iscrowd": 0,
                "segmentation": rle.encode(np.asfortranarray(mask)),
            }
            for number, (image, box, kind, mask) in enumerate(rows, 1)
        ],
    }  # fmt: skip
    coco.createIndex()
    return coco


def average_precision(
    truths: Sequence[Sequence[TruthBox]], sizes_hw: Sequence[tuple[int, int]], results: Sequence[Detections]
) -> dict[str, float]:
    """Return box AP, box AP50 and mask AP.

    Args:
        truths: (xyxy box in pixels, class, bool[H, W] mask) of every object, one list a picture.
        sizes_hw: (height, width) of each picture.
        results: What was found, one value a picture, with masks.
    """
    rows = []
    for image, found in enumerate(results):
        for i in range(len(found)):
            row = {"image_id": image, "category_id": int(found.class_ids[i]), "score": float(found.scores[i])}
            row["bbox"] = _xywh(found.boxes[i].tolist())
            if found.masks is not None:
                row["segmentation"] = rle.encode(np.asfortranarray(found.masks[i]))
            rows.append(row)
    if not rows:
        return {"box_ap": 0.0, "box_ap50": 0.0, "mask_ap": 0.0}
    scores = {}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _truth(truths, sizes_hw)
        for kind, name in (("bbox", "box"), ("segm", "mask")):
            judge = COCOeval(truth, truth.loadRes([dict(r) for r in rows]), kind)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
            scores[f"{name}_ap"] = float(judge.stats[0])
            scores[f"{name}_ap50"] = float(judge.stats[1])
    return {name: scores[name] for name in ("box_ap", "box_ap50", "mask_ap")}
