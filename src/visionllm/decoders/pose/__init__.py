"""The pose decoder: boxes and named keypoints for query groups."""

from visionllm.decoders.pose.decoder import PoseDecoder
from visionllm.decoders.pose.outputs import PoseOutputs, PosePrediction

__all__ = ["PoseDecoder", "PoseOutputs", "PosePrediction"]
