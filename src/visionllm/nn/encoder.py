"""The encoder in which pixels and query groups read each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visionllm.nn.attention import Attention, DeformableAttention, MutualAttention
from visionllm.nn.mlp import FeedForward


@dataclass(frozen=True, kw_only=True)
class EncoderSizes:
    """Sizes of a fusion encoder; see `visionllm.config.detection.DetectionConfig`."""

    layers: int
    width: int
    levels: int
    points: int
    heads: int
    ffn: int
    text_heads: int
    text_ffn: int
    fusion_width: int
    dropout: float = 0.0
    attention_dropout: float = 0.0
    text_dropout: float = 0.0
    fusion_dropout: float = 0.0
    fusion_drop_path: float = 0.0
    layer_scale: float = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderContext:
    """What a fusion encoder knows about its tokens.

    Attributes:
        positions: float[B, S, D]. Added to the pixels' queries.
        references: float[B, S, L, 2]. (x, y) of each pixel, in [0, 1] of each padded level.
        mask: bool[B, S]. True on real pixels.
        shapes: (height, width) of each level.
        text_positions: float[B, K, D]. Added to the query groups' queries and keys.
        text_mask: bool[B, K]. True on query groups that pixels may see; at least one a unit.
        text_visible: bool[B, 1 or heads, K, K]. True where a query group sees another; each sees one at least.
    """

    positions: Tensor
    references: Tensor
    mask: Tensor
    shapes: Sequence[tuple[int, int]]
    text_positions: Tensor
    text_mask: Tensor
    text_visible: Tensor


class DropPath(nn.Module):
    """Skips a residual branch for a random part of the units during training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return float[B, T, D], whole units zeroed and the others scaled up."""
        if not self.rate or not self.training:
            return x
        keep = torch.empty(len(x), 1, 1, dtype=x.dtype, device=x.device).bernoulli_(1 - self.rate)
        return x * keep / (1 - self.rate)


class FusionLayer(nn.Module):
    """Pixels and query groups learn from each other.

    Unlike in a usual residual block, the update is added to the normalised tokens, not to the inputs, as in the
    published model.
    """

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.vision_norm = nn.LayerNorm(sizes.width)
        self.text_norm = nn.LayerNorm(sizes.width)
        self.attention = MutualAttention(sizes.width, sizes.fusion_width, sizes.text_heads, sizes.fusion_dropout)
        self.vision_gate = nn.Parameter(torch.full((sizes.width,), sizes.layer_scale))
        self.text_gate = nn.Parameter(torch.full((sizes.width,), sizes.layer_scale))
        self.drop_path = DropPath(sizes.fusion_drop_path)

    def forward(self, vision: Tensor, text: Tensor, vision_mask: Tensor, text_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return float[B, S, D] pixels and float[B, K, D] query groups."""
        vision, text = self.vision_norm(vision), self.text_norm(text)
        to_vision, to_text = self.attention(vision, text, vision_mask, text_mask)
        return (
            vision + self.drop_path(self.vision_gate * to_vision),
            text + self.drop_path(self.text_gate * to_text),
        )


class TextLayer(nn.Module):
    """Query groups attend to each other."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.attention = Attention(sizes.width, sizes.text_heads, sizes.text_dropout)
        self.norm = nn.LayerNorm(sizes.width)
        self.feed_forward = FeedForward(sizes.width, sizes.text_ffn, sizes.text_dropout)
        self.dropout = nn.Dropout(sizes.text_dropout)

    def forward(self, text: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """Return float[B, K, D]."""
        placed = text + positions
        text = self.norm(text + self.dropout(self.attention(placed, placed, text, visible)))
        return self.feed_forward(text)


class DeformableLayer(nn.Module):
    """Pixels attend to a few pixels around themselves, on every level."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.attention = DeformableAttention(sizes.width, sizes.heads, sizes.levels, sizes.points)
        self.norm = nn.LayerNorm(sizes.width)
        self.feed_forward = FeedForward(sizes.width, sizes.ffn, sizes.dropout)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(
        self, vision: Tensor, positions: Tensor, references: Tensor, mask: Tensor, shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Return float[B, S, D]."""
        update = self.attention(vision + positions, references, vision, mask, shapes)
        return self.feed_forward(self.norm(vision + self.dropout(update)))


class FusionEncoderLayer(nn.Module):
    """Fusion, then attention among query groups, then deformable attention among pixels."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.fusion = FusionLayer(sizes)
        self.text = TextLayer(sizes)
        self.vision = DeformableLayer(sizes)

    def forward(self, vision: Tensor, text: Tensor, context: EncoderContext) -> tuple[Tensor, Tensor]:
        """Return float[B, S, D] pixels and float[B, K, D] query groups."""
        vision, text = self.fusion(vision, text, context.mask, context.text_mask)
        text = self.text(text, context.text_positions, context.text_visible)
        return self.vision(vision, context.positions, context.references, context.mask, context.shapes), text


class FusionEncoder(nn.Module):
    """A stack of fusion encoder layers.

    Source: Grounding DINO, arXiv:2303.05499, section 3.2.
    """

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(FusionEncoderLayer(sizes) for _ in range(sizes.layers))

    def forward(self, vision: Tensor, text: Tensor, context: EncoderContext) -> tuple[Tensor, Tensor]:
        """Let pixels and query groups read each other.

        Args:
            vision: float[B, S, D]. The tokens of all levels.
            text: float[B, K, D]. One token a query group.
            context: What is known about them.

        Returns:
            float[B, S, D] and float[B, K, D].
        """
        for layer in self.layers:
            vision, text = layer(vision, text, context)
        return vision, text
