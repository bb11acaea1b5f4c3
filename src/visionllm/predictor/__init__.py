"""The user's object: questions about pictures in, typed answers out."""

from visionllm.predictor.chat import Chat
from visionllm.predictor.opened import OpenedImage, check_names, keypoints_of
from visionllm.predictor.vision_llm import VisionLLM

__all__ = ["Chat", "OpenedImage", "VisionLLM", "check_names", "keypoints_of"]
