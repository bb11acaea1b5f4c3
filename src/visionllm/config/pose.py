"""Sizes, loss weights and choices of the pose decoder."""

import math
from dataclasses import dataclass
from typing import Literal

from visionllm.config.grounding import GroundingConfig
from visionllm.config.ranges import Ranges

RANGES: Ranges = (
    (("box_layers", "poses", "keypoints"), 1, math.inf),
    (("keypoint_cost", "oks_cost", "keypoint_weight", "oks_weight", "visible_weight"), 0, math.inf),
)


@dataclass(frozen=True, kw_only=True)
class PoseConfig(GroundingConfig):
    """What the pose decoder is made of; the defaults are the published 7B release's.

    Attributes:
        box_layers: Decoder layers that refine boxes only; in the layers behind them the best object queries have
            keypoints.
        poses: Number of object queries whose keypoints are decoded.
        keypoints: Most keypoint groups a unit may have.
        keypoint_scores: What a keypoint's score is: `"learned"`, the probability that it is visible, by a head of its
            own; or its `"instance"`'s score, because the published release has no such head.
        keypoint_cost: Matching cost of the keypoints' L1 distance, beside `oks_cost`.
        keypoint_weight: Loss weight of the keypoints' L1 distance, beside `oks_weight`, which the published code reads
            from the wrong place, and `visible_weight`.
        nms_iou: Boxes of one class that overlap more than this are merged into the best one unless a request says
            otherwise; None, as published, keeps all.
    """

    box_layers: int = 2
    poses: int = 50
    keypoints: int = 68
    keypoint_scores: Literal["instance", "learned"] = "instance"
    keypoint_cost: float = 10.0
    oks_cost: float = 4.0
    keypoint_weight: float = 10.0
    oks_weight: float = 10.0
    visible_weight: float = 1.0
    nms_iou: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ranges(RANGES)
        self._check_choice("keypoint_scores", ("instance", "learned"))
        if self.nms_iou is not None and not 0 <= self.nms_iou <= 1:
            raise ValueError(f"expected nms_iou in [0, 1], got {self.nms_iou}")
        if self.box_layers >= self.decoder_layers:
            raise ValueError(
                f"expected box_layers < decoder_layers, so that some decode keypoints, "
                f"got {self.box_layers} of {self.decoder_layers}"
            )
        if self.poses > self.object_queries:
            raise ValueError(f"expected poses <= object_queries, got {self.poses} of {self.object_queries}")
