"""The user's object: questions about pictures in, typed answers out."""

from visionllm.predictor.chat import Chat
from visionllm.predictor.core import Core, Prepared, Unit, compose_units, settled
from visionllm.predictor.examples import Examples, check_examples, fingerprint, like_task
from visionllm.predictor.opened import OpenedImage, Questions
from visionllm.predictor.protocols import detector_of, is_free
from visionllm.predictor.tasks import (
    Task,
    check_names,
    detect_task,
    draw_task,
    edit_task,
    keypoints_of,
    pose_task,
    refer_task,
    regions_task,
)
from visionllm.predictor.vision_llm import VisionLLM

__all__ = [
    "Chat",
    "Core",
    "Examples",
    "OpenedImage",
    "Prepared",
    "Questions",
    "Task",
    "Unit",
    "VisionLLM",
    "check_examples",
    "check_names",
    "compose_units",
    "detect_task",
    "detector_of",
    "draw_task",
    "edit_task",
    "fingerprint",
    "is_free",
    "keypoints_of",
    "like_task",
    "pose_task",
    "refer_task",
    "regions_task",
    "settled",
]
