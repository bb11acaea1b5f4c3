"""The whole network, registered with Hugging Face's auto classes."""

from transformers import AutoConfig, AutoModelForImageTextToText

from visionllm.config import VisionLLMConfig
from visionllm.model.network import VisionLLMForConditionalGeneration, VisionLLMOutput
from visionllm.model.pictures import EncodedPictures, join_encoded

AutoConfig.register(VisionLLMConfig.model_type, VisionLLMConfig, exist_ok=True)
AutoModelForImageTextToText.register(VisionLLMConfig, VisionLLMForConditionalGeneration, exist_ok=True)

__all__ = ["EncodedPictures", "VisionLLMForConditionalGeneration", "VisionLLMOutput", "join_encoded"]
