"""The detection decoder: boxes and masks for query groups."""

from visionllm.decoders.detection.decoder import DetectionDecoder
from visionllm.decoders.detection.outputs import DetectionOutputs, Prediction

__all__ = ["DetectionDecoder", "DetectionOutputs", "Prediction"]
