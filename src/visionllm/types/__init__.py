"""The nouns of the project: requests, regions, results, samples, and the tensors between the parts."""

from visionllm.types.answers import Answer, FinishReason
from visionllm.types.examples import Example
from visionllm.types.generated import GeneratedImages
from visionllm.types.maps import SemanticMap, merge_maps
from visionllm.types.poses import Keypoint, Pose, Poses
from visionllm.types.regions import Box, Found, Mask, Point, Polygon, Region, Scribble
from visionllm.types.requests import Mark, Message, Options, Part, Picture, Request, Role, Routed, ask
from visionllm.types.results import Detections, Instance, Result, merge_detections, run_lengths
from visionllm.types.routes import Route
from visionllm.types.samples import DetectionTruth, PictureTruth, PoseTruth, Sample, Truth
from visionllm.types.skeletons import Skeleton, bones_among

__all__ = [
    "Answer",
    "Box",
    "DetectionTruth",
    "Detections",
    "Example",
    "FinishReason",
    "Found",
    "GeneratedImages",
    "Instance",
    "Keypoint",
    "Mark",
    "Mask",
    "Message",
    "Options",
    "Part",
    "Picture",
    "PictureTruth",
    "Point",
    "Polygon",
    "Pose",
    "PoseTruth",
    "Poses",
    "Region",
    "Request",
    "Result",
    "Role",
    "Route",
    "Routed",
    "Sample",
    "Scribble",
    "SemanticMap",
    "Skeleton",
    "Truth",
    "ask",
    "bones_among",
    "merge_detections",
    "merge_maps",
    "run_lengths",
]
