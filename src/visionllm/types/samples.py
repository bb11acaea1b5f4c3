"""A request with its truth: what training and evaluation are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionllm.types.requests import Message, Request


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionTruth:
    """Everything that should be found for one answer.

    Attributes:
        boxes: float32[N, 4]. (x0, y0, x1, y1) in pixels of the original picture; x1 and y1 are exclusive.
        class_ids: int64[N]. Index, among the routed spans of the answer, of the span each box belongs to.
        masks: bool[N, H, W] of the original picture, or None.

    Raises:
        ValueError: If the lengths differ.
    """

    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or len(self.class_ids) != n or (self.masks is not None and len(self.masks) != n):
            masks = None if self.masks is None else self.masks.shape
            raise ValueError(
                "expected boxes [N, 4], class_ids [N] and masks [N, H, W], "
                f"got {self.boxes.shape}, {self.class_ids.shape} and {masks}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One question with its answer.

    Attributes:
        request: The question; its pictures are those of the sample.
        answer: The assistant message that should follow.
        truth: For the answer's routed spans, by decoder name; the decoder `"detection"` has a `DetectionTruth`.
        learn_text: False where only decoders learn from the answer (known-class templates).
        family: The task family, such as `"count"`.
    """

    request: Request
    answer: Message
    truth: Mapping[str, DetectionTruth] = field(default_factory=dict)
    learn_text: bool = True
    family: str = ""
