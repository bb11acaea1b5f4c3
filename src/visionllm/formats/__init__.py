"""Results to and from the formats of other tools: plain data in, plain data out."""

from visionllm.formats.coco import from_coco_dataset, from_coco_results, to_coco_dataset, to_coco_results
from visionllm.formats.supervision import from_supervision, to_supervision

__all__ = [
    "from_coco_dataset",
    "from_coco_results",
    "from_supervision",
    "to_coco_dataset",
    "to_coco_results",
    "to_supervision",
]
