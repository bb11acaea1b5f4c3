"""What a decoder that finds objects says, before losses and results."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from visionllm.nn.denoising import NoisyQueries


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxPrediction:
    """What one layer says about N queries a unit.

    Attributes:
        logits: float[U, N, K]. One a query group; −inf where the group or the query is masked.
        boxes: float[U, N, 4]. (cx, cy, w, h) in [0, 1] of the real picture.
        valid: bool[U, N]. False on queries that stand for nothing, because a picture has too few tokens.
    """

    logits: Tensor
    boxes: Tensor
    valid: Tensor


PredictionT = TypeVar("PredictionT", bound=BoxPrediction)


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
class ObjectQueries:
    """The object queries before the first decoder layer.

    Attributes:
        content: float[U, N, D].
        states: float[U, N, D]. What the encoder's own prediction is made from.
        encoder: The encoder's own prediction for the tokens that became queries.
        tokens: The encoder's classification of all tokens.
    """

    content: Tensor
    states: Tensor
    encoder: BoxPrediction
    tokens: TokenPrediction


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundedOutputs(Generic[PredictionT]):
    """Everything a decoder that finds objects says about U units.

    Attributes:
        layers: One prediction a decoder layer, the last one is the result.
        encoder: The encoder's own prediction for the tokens that became queries.
        tokens: The encoder's classification of all tokens.
        noisy: One prediction of the denoising queries a decoder layer; empty without denoising.
        noise: The denoising queries, or None.
        text_mask: bool[U, K]. True on real query groups.
        states: Normalised states of all queries but the denoising ones, float[U, N, D] a decoder layer.
        guides: Their boxes, float[U, N, 4] a decoder layer.
        first_boxes: float[U, N, 4]. Boxes before the first decoder layer.
        vision: float[U, S, D]. The encoder's pixels.
        text: float[U, K, D]. The encoder's query groups.
    """

    layers: tuple[PredictionT, ...]
    encoder: PredictionT
    tokens: TokenPrediction
    noisy: tuple[PredictionT, ...]
    noise: NoisyQueries | None
    text_mask: Tensor
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
