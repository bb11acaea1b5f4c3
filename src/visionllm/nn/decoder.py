"""The decoder in which object queries find their objects."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from visionllm.nn.attention import Attention, DeformableAttention
from visionllm.nn.mlp import MLP, FeedForward
from visionllm.nn.position import box_embedding
from visionllm.ops.boxes import inverse_sigmoid


@dataclass(frozen=True, kw_only=True)
class DecoderSizes:
    """Sizes of a deformable decoder; see `visionllm.config.detection.DetectionConfig`.

    Attributes:
        eps: Clamp of the inverse sigmoid; 1e-5 in the published detector, 1e-3 in the published pose estimator.
    """

    layers: int
    width: int
    levels: int
    points: int
    heads: int
    ffn: int
    dropout: float = 0.0
    attention_dropout: float = 0.0
    eps: float = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """What object queries look at.

    Attributes:
        vision: float[B, S, D]. The encoder's pixels, all levels.
        mask: bool[B, S]. True on real pixels.
        shapes: (height, width) of each level.
        real_share: float[B, L, 2]. Share of each padded level's (width, height) that is real.
        finest_share: float[B, 2]. Share of the finest level's own canvas that is real; scales the queries' positions.
        text: float[B, K, D]. The encoder's query groups.
        text_mask: bool[B, K]. True on query groups that may be seen; at least one a unit.
    """

    vision: Tensor
    mask: Tensor
    shapes: Sequence[tuple[int, int]]
    real_share: Tensor
    finest_share: Tensor
    text: Tensor
    text_mask: Tensor


class DecoderLayer(nn.Module):
    """Object queries attend to each other, to the query groups, to the pixels around their boxes."""

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.self_attention = Attention(sizes.width, sizes.heads, sizes.attention_dropout)
        self.self_norm = nn.LayerNorm(sizes.width)
        self.text_attention = Attention(sizes.width, sizes.heads, sizes.attention_dropout)
        self.text_norm = nn.LayerNorm(sizes.width)
        self.vision_attention = DeformableAttention(sizes.width, sizes.heads, sizes.levels, sizes.points)
        self.vision_norm = nn.LayerNorm(sizes.width)
        self.feed_forward = FeedForward(sizes.width, sizes.ffn, sizes.dropout)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(
        self, x: Tensor, positions: Tensor, references: Tensor, memory: Memory, visible: Tensor | None
    ) -> Tensor:
        """Return float[B, N, D].

        Args:
            x: float[B, N, D]. Content of the object queries.
            positions: float[B, N, D]. Embedding of their boxes.
            references: float[B, N, L, 4]. Their boxes, in [0, 1] of each padded level.
            memory: What they look at.
            visible: bool, broadcast to [B, heads, N, N]. True where a query sees another; None lets all see all.
        """
        placed = x + positions
        x = self.self_norm(x + self.dropout(self.self_attention(placed, placed, x, visible)))
        text_visible = memory.text_mask[:, None, None]
        update = self.text_attention(x + positions, memory.text, memory.text, text_visible)
        x = self.text_norm(x + self.dropout(update))
        update = self.vision_attention(x + positions, references, memory.vision, memory.mask, memory.shapes)
        return self.feed_forward(self.vision_norm(x + self.dropout(update)))


class DeformableDecoder(nn.Module):
    """A stack of decoder layers that refine boxes from layer to layer, one box head for all.

    A layer predicts a correction, from its normalised state, of the box that guided it; the box that guides the next
    layer comes from the state before the normalisation, as in the published model. No gradient flows through guiding
    boxes.

    Source: Deformable DETR, arXiv:2010.04159, appendix A.4.
    """

    def __init__(self, sizes: DecoderSizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.position_head = MLP([2 * sizes.width, sizes.width, sizes.width])
        self.box_head = MLP([sizes.width, sizes.width, sizes.width, 4])
        self.eps = sizes.eps
        nn.init.zeros_(self.box_head.layers[-1].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.box_head.layers[-1].bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self, x: Tensor, boxes: Tensor, memory: Memory, visible: Tensor | None = None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Refine object queries.

        Args:
            x: float[B, N, D]. Content of the object queries.
            boxes: float32[B, N, 4]. (cx, cy, w, h), in [0, 1] of the real picture.
            memory: What they look at.
            visible: bool, broadcast to [B, heads, N, N]. True where a query sees another; None lets all see all.

        Returns:
            For each layer, the normalised states float[B, N, D], the predicted boxes float32[B, N, 4], and the boxes
            that guide the next layer, float32[B, N, 4].
        """
        states, predictions, guides = [], [], []
        guide = boxes
        for layer in self.layers:
            guide = guide.detach()
            base = inverse_sigmoid(guide, self.eps)
            x = self.step(layer, x, guide, memory, visible)
            states.append(self.norm(x))
            predictions.append(torch.sigmoid(self.box_head(states[-1]).float() + base))
            guide = torch.sigmoid(self.box_head(x).float() + base)
            guides.append(guide)
        return states, predictions, guides

    def step(self, layer: nn.Module, x: Tensor, guide: Tensor, memory: Memory, visible: Tensor | None) -> Tensor:
        """Return float[B, N, D], the object queries after one layer that was guided by boxes float[B, N, 4]."""
        finest = memory.finest_share.repeat(1, 2)[:, None]
        positions = self.position_head(box_embedding(guide * finest, x.shape[-1] // 2).to(x.dtype))
        share = memory.real_share.repeat(1, 1, 2)[:, None]
        return layer(x, positions, guide[:, :, None] * share, memory, visible)
