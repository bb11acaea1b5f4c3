"""Sizes, loss weights and choices that every decoder that finds objects has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from visionllm.config.ranges import Checked, Ranges

RANGES: Ranges = (
    (("size_divisor", "width", "levels", "encoder_layers", "decoder_layers", "heads", "text_heads"), 1, math.inf),
    (("encoder_ffn", "decoder_ffn", "text_ffn", "fusion_width", "encoder_points", "decoder_points"), 1, math.inf),
    (("object_queries",), 1, math.inf),
    (("class_cost", "box_cost", "giou_cost"), 0, math.inf),
    (("class_weight", "box_weight", "giou_weight"), 0, math.inf),
    (("focal_gamma", "denoise_queries", "denoise_label_noise", "denoise_box_noise", "one_to_many"), 0, math.inf),
    (("dropout", "attention_dropout", "text_dropout", "fusion_dropout", "fusion_drop_path"), 0, 1),
    (("focal_alpha", "threshold"), 0, 1),
)


def swin_tiny(first_stage: int) -> dict[str, Any]:
    """Return the configuration of the published backbone, with the stages from `first_stage` on."""
    return {
        "model_type": "swin",
        "embed_dim": 96,
        "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24],
        "window_size": 7,
        "out_features": [f"stage{i}" for i in range(first_stage, 5)],
    }


@dataclass(frozen=True, kw_only=True)
class GroundingConfig(Checked):
    """What a decoder is made of that reads pixels beside query groups; the defaults are the published 7B release's.

    Attributes:
        backbone: Configuration of any Hugging Face backbone, `model_type` and `out_features` included.
        freeze_norm: Keep the backbone's batch norms on their running statistics during training.
        size_divisor: Each picture is padded to a multiple of this before the backbone.
        width: Width D of the transformer.
        levels: Feature levels of the encoder; levels beyond the backbone's stages are stride-2 convolutions.
        encoder_layers: Number of fusion encoder layers.
        decoder_layers: Number of decoder layers.
        heads: Heads of deformable attention and of the decoder.
        text_heads: Heads of the fusion and of the attention among query groups.
        encoder_ffn: Hidden width of the encoder's feed-forward blocks.
        decoder_ffn: Hidden width of the decoder's feed-forward blocks.
        text_ffn: Hidden width of the feed-forward blocks on query groups.
        fusion_width: Width of the attention between pixels and query groups.
        encoder_points: Sampling points a head and level in the encoder.
        decoder_points: Sampling points a head and level in the decoder.
        object_queries: Number N of object queries.
        query_content: Content of the object queries: `"learned"` vectors, or the selected tokens of the encoder's
            `"memory"`.
        contrast: Class logits are a `"plain"` dot product, or `"scaled"` by 1/√D with a learned bias that starts at a
            probability of 0.01, which is what training from scratch needs.
        position_temperature: Temperature of the sine embedding of image positions.
        dropout: Rate after attention and in feed-forward blocks.
        attention_dropout: Rate on the decoder's and encoder's attention weights.
        text_dropout: Rate in the layers on query groups.
        fusion_dropout: Rate on the weights of the attention between pixels and query groups.
        fusion_drop_path: Rate at which a unit skips a fusion.
        layer_scale: Initial value of the fusion's learned gates.
        class_cost: Matching cost of the class, beside `box_cost` (L1) and `giou_cost`.
        class_weight: Loss weight of the class, beside `box_weight` and `giou_weight`.
        focal_alpha: Share of the positives in the focal loss.
        focal_gamma: Exponent of the focal loss.
        denoise_queries: Pairs of denoising queries a unit that the groups together aim at; 0 switches denoising off.
        denoise_label_noise: Twice the rate at which a denoising query gets a random label.
        denoise_box_noise: Largest shift of a denoising box's corners, in half box sizes.
        one_to_many: How often each truth is repeated when the encoder's own predictions are matched; 0 or 1 means
            once.
        threshold: Lowest score of a returned instance when a request names none.
    """

    backbone: Mapping[str, Any] = field(default_factory=lambda: swin_tiny(2))
    freeze_norm: bool = True
    size_divisor: int = 32
    width: int = 256
    levels: int = 4
    encoder_layers: int = 6
    decoder_layers: int = 6
    heads: int = 8
    text_heads: int = 4
    encoder_ffn: int = 2048
    decoder_ffn: int = 2048
    text_ffn: int = 1024
    fusion_width: int = 1024
    encoder_points: int = 4
    decoder_points: int = 4
    object_queries: int = 900
    query_content: Literal["learned", "memory"] = "learned"
    contrast: Literal["plain", "scaled"] = "plain"
    position_temperature: float = 20.0
    dropout: float = 0.0
    attention_dropout: float = 0.0
    text_dropout: float = 0.0
    fusion_dropout: float = 0.0
    fusion_drop_path: float = 0.1
    layer_scale: float = 1e-4
    class_cost: float = 2.0
    box_cost: float = 5.0
    giou_cost: float = 2.0
    class_weight: float = 2.0
    box_weight: float = 5.0
    giou_weight: float = 2.0
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    denoise_queries: int = 100
    denoise_label_noise: float = 0.5
    denoise_box_noise: float = 1.0
    one_to_many: int = 0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        self._check_backbone()
        self._check_ranges(RANGES)
        self._check_widths()
        for name, choices in (("query_content", ("learned", "memory")), ("contrast", ("plain", "scaled"))):
            self._check_choice(name, choices)

    @property
    def encoder_stages(self) -> list[str]:
        """The backbone's stages that feed the encoder, the finest first."""
        return list(self.backbone.get("out_features") or ())

    def _check_backbone(self) -> None:
        stages = self.encoder_stages
        if "model_type" not in self.backbone or not stages:
            raise ValueError(
                "expected a backbone with a model_type and out_features, "
                f"got model_type {self.backbone.get('model_type')!r} and out_features {stages}"
            )
        if self.levels < len(stages):
            raise ValueError(f"expected levels >= {len(stages)}, one a backbone stage, got {self.levels}")

    def _check_widths(self) -> None:
        for name, width, divisor in (
            ("width", self.width, self.heads),
            ("width", self.width, self.text_heads),
            ("fusion_width", self.fusion_width, self.text_heads),
            ("width", self.width, 32),  # 32 normalisation groups
        ):
            if width % divisor:
                raise ValueError(f"expected {name} to be a multiple of {divisor}, got {width}")
