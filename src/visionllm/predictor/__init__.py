"""The user's object: questions about pictures in, typed answers out."""

from visionllm.predictor.chat import Chat
from visionllm.predictor.examples import Example, Examples, check_examples
from visionllm.predictor.opened import OpenedImage, check_names, keypoints_of
from visionllm.predictor.vision_llm import VisionLLM

__all__ = ["Chat", "Example", "Examples", "OpenedImage", "VisionLLM", "check_examples", "check_names", "keypoints_of"]
