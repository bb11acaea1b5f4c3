"""The user's object: questions about pictures in, typed answers out."""

from visionllm.predictor.vision_llm import VisionLLM

__all__ = ["VisionLLM"]
