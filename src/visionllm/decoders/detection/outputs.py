"""What the detector says, before losses and results."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.decoders.base.outputs import BoxPrediction, GroundedOutputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction(BoxPrediction):
    """What one layer says about N queries a unit.

    Attributes:
        masks: float[U, N, M]. Mask embeddings; their product with the mask features gives mask logits.
    """

    masks: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionOutputs(GroundedOutputs[Prediction]):
    """Everything the detector says about U units.

    Attributes:
        guides: Boxes after each decoder layer.
        mask_features: float[U, M, h, w]. Zero outside of each picture's own canvas.
        pixels_hw: int[U, 2]. (height, width) of each picture's own canvas in `mask_features`.
        stride: Pixels of the picture a cell of `mask_features`.
    """

    mask_features: Tensor
    pixels_hw: Tensor
    stride: int

    def mask_logits(self, unit: int, queries: Tensor) -> Tensor:
        """Return float[n, h, w] mask logits of the named queries of one unit, over its own canvas."""
        height, width = self.pixels_hw[unit].tolist()
        return torch.einsum(
            "nm,mhw->nhw", self.layers[-1].masks[unit, queries], self.mask_features[unit, :, :height, :width]
        )
