"""The nouns of the project: requests, regions, results, samples, and the tensors between the parts."""

from visionllm.types.regions import Box, Mask, Point, Polygon, Region, Scribble
from visionllm.types.requests import Mark, Message, Options, Part, Picture, Request, Role, Routed, ask
from visionllm.types.results import (
    Answer,
    Detections,
    FinishReason,
    GeneratedImages,
    Instance,
    Keypoint,
    Pose,
    Poses,
    Result,
    merge_detections,
    run_lengths,
)
from visionllm.types.routes import Route
from visionllm.types.samples import DetectionTruth, Sample
from visionllm.types.skeletons import Skeleton

__all__ = [
    "Answer",
    "Box",
    "DetectionTruth",
    "Detections",
    "FinishReason",
    "GeneratedImages",
    "Instance",
    "Keypoint",
    "Mark",
    "Mask",
    "Message",
    "Options",
    "Part",
    "Picture",
    "Point",
    "Polygon",
    "Pose",
    "Poses",
    "Region",
    "Request",
    "Result",
    "Role",
    "Route",
    "Routed",
    "Sample",
    "Scribble",
    "Skeleton",
    "ask",
    "merge_detections",
    "run_lengths",
]
