"""VisionLLM v2: one model that answers in text, boxes, masks, keypoints and images.

The names below are imported when they are first used, so that `import visionllm` costs nothing and pulls in no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionllm.predictor import VisionLLM
    from visionllm.types import (
        Answer,
        Box,
        Detections,
        Example,
        Found,
        GeneratedImages,
        Instance,
        Mark,
        Mask,
        Message,
        Options,
        Picture,
        Point,
        Polygon,
        Poses,
        Request,
        Scribble,
        ask,
    )

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Box",
    "Detections",
    "Example",
    "Found",
    "GeneratedImages",
    "Instance",
    "Mark",
    "Mask",
    "Message",
    "Options",
    "Picture",
    "Point",
    "Polygon",
    "Poses",
    "Request",
    "Scribble",
    "VisionLLM",
    "__version__",
    "ask",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=None)
    return getattr(import_module("visionllm.predictor" if name == "VisionLLM" else "visionllm.types"), name)


def __dir__() -> list[str]:
    return __all__
