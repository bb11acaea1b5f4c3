"""Configuration of models: closed, checked, and refused where it is not understood."""

from visionllm.config.model import IMAGE_TOKEN, REGION_TOKEN, VisionLLMConfig
from visionllm.config.quirks import Quirks

__all__ = ["IMAGE_TOKEN", "REGION_TOKEN", "Quirks", "VisionLLMConfig"]
