"""What the detector says, before losses and results."""

from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.nn.denoising import NoisyQueries


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What one layer says about N queries a unit.

    Attributes:
        logits: float[U, N, K]. One a query group; −inf where the group or the query is masked.
        boxes: float[U, N, 4]. (cx, cy, w, h) in [0, 1] of the real picture.
        masks: float[U, N, M]. Mask embeddings; their product with the mask features gives mask logits.
        valid: bool[U, N]. False on queries that stand for nothing, because a picture has too few tokens.
    """

    logits: Tensor
    boxes: Tensor
    masks: Tensor
    valid: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenPrediction:
    """What the encoder says about its own tokens.

    Attributes:
        logits: float[U, S, K]. −inf on masked groups.
        centres: float[U, S, 2]. (x, y) of each token, in [0, 1] of the real picture.
        mask: bool[U, S]. True on tokens that may become a query.
    """

    logits: Tensor
    centres: Tensor
    mask: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionOutputs:
    """Everything the detector says about U units.

    Attributes:
        layers: One prediction a decoder layer, the last one is the result.
        encoder: The encoder's own prediction for the tokens that became queries.
        tokens: The encoder's classification of all tokens.
        noisy: One prediction of the denoising queries a decoder layer; empty without denoising.
        noise: The denoising queries, or None.
        text_mask: bool[U, K]. True on real query groups.
        mask_features: float[U, M, h, w]. Zero outside of each picture's own canvas.
        pixels_hw: int[U, 2]. (height, width) of each picture's own canvas in `mask_features`.
        stride: Pixels of the picture a cell of `mask_features`.
        states: Normalised states of the object queries, float[U, N, D] a decoder layer.
        guides: Boxes after each decoder layer, float[U, N, 4].
        first_boxes: float[U, N, 4]. Boxes before the first decoder layer.
        vision: float[U, S, D]. The encoder's pixels.
        text: float[U, K, D]. The encoder's query groups.
    """

    layers: tuple[Prediction, ...]
    encoder: Prediction
    tokens: TokenPrediction
    noisy: tuple[Prediction, ...]
    noise: NoisyQueries | None
    text_mask: Tensor
    mask_features: Tensor
    pixels_hw: Tensor
    stride: int
    states: tuple[Tensor, ...]
    guides: tuple[Tensor, ...]
    first_boxes: Tensor
    vision: Tensor
    text: Tensor

    @property
    def logits(self) -> Tensor:
        """float[U, N, K]. The last layer's class logits; −inf where masked."""
        return self.layers[-1].logits

    @property
    def boxes(self) -> Tensor:
        """float[U, N, 4]. The last layer's boxes, (cx, cy, w, h) in [0, 1] of the real picture."""
        return self.layers[-1].boxes

    def mask_logits(self, unit: int, queries: Tensor) -> Tensor:
        """Return float[n, h, w] mask logits of the named queries of one unit, over its own canvas."""
        height, width = self.pixels_hw[unit].tolist()
        return torch.einsum(
            "nm,mhw->nhw", self.layers[-1].masks[unit, queries], self.mask_features[unit, :, :height, :width]
        )
