"""Results as pictures: boxes, masks and labels on the picture, the conversation beside it."""

from visionllm.rendering.answers import draw_answer
from visionllm.rendering.detections import draw_detections
from visionllm.rendering.regions import draw_regions
from visionllm.rendering.sheet import contact_sheet

__all__ = ["contact_sheet", "draw_answer", "draw_detections", "draw_regions"]
