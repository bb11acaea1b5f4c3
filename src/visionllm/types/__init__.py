"""The nouns of the project: requests, regions, results, samples, and the tensors between the parts."""

from visionllm.types.regions import Box, Mask, Point, Polygon, Region, Scribble
from visionllm.types.requests import Mark, Message, Options, Part, Picture, Request, Role, Routed, ask
from visionllm.types.results import (
    Answer,
    Detections,
    FinishReason,
    Instance,
    Poses,
    Result,
    merge_detections,
    run_lengths,
)
from visionllm.types.routes import Route
from visionllm.types.samples import DetectionTruth, Sample

__all__ = [
    "Answer",
    "Box",
    "DetectionTruth",
    "Detections",
    "FinishReason",
    "Instance",
    "Mark",
    "Mask",
    "Message",
    "Options",
    "Part",
    "Picture",
    "Point",
    "Polygon",
    "Poses",
    "Region",
    "Request",
    "Result",
    "Role",
    "Route",
    "Routed",
    "Sample",
    "Scribble",
    "ask",
    "merge_detections",
    "run_lengths",
]
