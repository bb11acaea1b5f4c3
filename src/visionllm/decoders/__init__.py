"""Task decoders: super-link queries and pixels to results."""

from visionllm.decoders.base import Decoder
from visionllm.decoders.detection import DetectionDecoder
from visionllm.decoders.editing import EditingDecoder
from visionllm.decoders.generation import GenerationDecoder
from visionllm.decoders.pose import PoseDecoder

__all__ = ["Decoder", "DetectionDecoder", "EditingDecoder", "GenerationDecoder", "PoseDecoder"]
