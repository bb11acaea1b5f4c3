"""Results as pictures: boxes, masks, keypoints and labels on the picture, new pictures, the conversation beside it."""

from visionllm.rendering.answers import draw_answer, draw_results
from visionllm.rendering.canvas import Canvas
from visionllm.rendering.detections import draw_detections, instance_colours, paint_detections
from visionllm.rendering.examples import draw_examples
from visionllm.rendering.generated import draw_generated, paint_generated
from visionllm.rendering.poses import draw_poses, paint_poses
from visionllm.rendering.regions import draw_regions
from visionllm.rendering.sheet import contact_sheet

__all__ = [
    "Canvas",
    "contact_sheet",
    "draw_answer",
    "draw_detections",
    "draw_examples",
    "draw_generated",
    "draw_poses",
    "draw_regions",
    "draw_results",
    "instance_colours",
    "paint_detections",
    "paint_generated",
    "paint_poses",
]
