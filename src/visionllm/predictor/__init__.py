"""The user's object: questions about pictures in, typed answers out."""

from visionllm.predictor.chat import Chat
from visionllm.predictor.examples import Examples, check_examples
from visionllm.predictor.opened import OpenedImage, check_names, keypoints_of
from visionllm.predictor.vision_llm import VisionLLM

__all__ = ["Chat", "Examples", "OpenedImage", "VisionLLM", "check_examples", "check_names", "keypoints_of"]
