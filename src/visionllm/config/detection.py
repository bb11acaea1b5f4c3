"""Sizes, loss weights and choices of the detection decoder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionllm.config.grounding import GroundingConfig, swin_tiny
from visionllm.config.ranges import Ranges

RANGES: Ranges = (
    (("mask_width", "mask_points", "mask_oversample"), 1, math.inf),
    (("mask_weight", "dice_weight", "token_loss_weight"), 0, math.inf),
    (("mask_importance",), 0, 1),
)


@dataclass(frozen=True, kw_only=True)
class DetectionConfig(GroundingConfig):
    """What the detection decoder is made of; the defaults are the published 7B release's.

    Attributes:
        pixel_stage: The backbone stage that feeds only the pixel decoder; all other stages feed the encoder.
        mask_width: Width of mask embeddings and mask features.
        dropout: Rate after attention and in feed-forward blocks.
        mask_weight: Loss weight of the mask's cross entropy, beside `dice_weight`.
        mask_points: Points a mask at which mask losses are taken.
        mask_oversample: Candidates drawn a point, of which the most uncertain are kept.
        mask_importance: Share of the points that are the most uncertain ones; the rest is uniform.
        token_loss_weight: Weight of the focal loss that asks every encoder token for the groups whose truth covers it.
    """

    backbone: Mapping[str, Any] = field(default_factory=lambda: swin_tiny(1))
    pixel_stage: str = "stage1"
    mask_width: int = 256
    dropout: float = 0.1
    mask_weight: float = 5.0
    dice_weight: float = 5.0
    mask_points: int = 12544
    mask_oversample: float = 3.0
    mask_importance: float = 0.75
    token_loss_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ranges(RANGES)

    @property
    def encoder_stages(self) -> list[str]:
        """The backbone's stages that feed the encoder, the finest first."""
        return [stage for stage in super().encoder_stages if stage != self.pixel_stage]

    def _check_backbone(self) -> None:
        stages = list(self.backbone.get("out_features") or ())
        if "model_type" not in self.backbone or self.pixel_stage not in stages or len(stages) < 2:
            raise ValueError(
                f"expected a backbone with a model_type and two or more out_features, {self.pixel_stage!r} among them, "
                f"got model_type {self.backbone.get('model_type')!r} and out_features {stages}"
            )
        super()._check_backbone()
