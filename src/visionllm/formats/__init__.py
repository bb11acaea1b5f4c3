"""Results to and from the formats of other tools: plain data in, plain data out."""

from visionllm.formats.coco import from_coco_dataset, from_coco_results, to_coco_dataset, to_coco_results
from visionllm.formats.florence2 import from_florence2, to_florence2
from visionllm.formats.labelstudio import from_labelstudio, to_labelstudio
from visionllm.formats.qwen import from_qwen, to_qwen
from visionllm.formats.supervision import (
    from_supervision,
    from_supervision_plain,
    to_supervision,
    to_supervision_plain,
)
from visionllm.formats.yolo import from_yolo, to_yolo

__all__ = [
    "from_coco_dataset",
    "from_coco_results",
    "from_florence2",
    "from_labelstudio",
    "from_qwen",
    "from_supervision",
    "from_supervision_plain",
    "from_yolo",
    "to_coco_dataset",
    "to_coco_results",
    "to_florence2",
    "to_labelstudio",
    "to_qwen",
    "to_supervision",
    "to_supervision_plain",
    "to_yolo",
]
