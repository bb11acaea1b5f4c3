"""Attention among tokens, between two sets of tokens, and from queries into feature maps."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visionllm.ops.deformable import deformable_attention


def _split(x: Tensor, heads: int) -> Tensor:
    """Return [B, heads, T, D/heads] of [B, T, D]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    """Return [B, T, D] of [B, heads, T, D/heads]."""
    return x.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Multi-head attention whose keys and values may differ, as DETR's do by a position embedding.

    Args:
        width: Width D.
        heads: Number of heads; divides the width.
        dropout: Rate on the attention weights.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None = None) -> Tensor:
        """Attend from queries to keys.

        Args:
            query: float[B, Q, D].
            key: float[B, T, D].
            value: float[B, T, D].
            visible: bool, broadcast to [B, heads, Q, T]. True where a query sees a key; every query must see one.

        Returns:
            float[B, Q, D].
        """
        attended = F.scaled_dot_product_attention(
            _split(self.query(query), self.heads),
            _split(self.key(key), self.heads),
            _split(self.value(value), self.heads),
            attn_mask=visible,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(_join(attended))


class MutualAttention(nn.Module):
    """Two sets of tokens that attend to each other through one matrix of logits.

    Args:
        width: Width D of both sets.
        inner: Width of queries, keys and values.
        heads: Number of heads; divides the inner width.
        dropout: Rate on the attention weights.

    Differs: the published code subtracts the batch's largest logit and clamps, which does not change a softmax; without
    it, ours is independent of the batch.
    """

    def __init__(self, width: int, inner: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.vision_query, self.text_query, self.vision_value, self.text_value = (
            nn.Linear(width, inner) for _ in range(4)
        )
        self.vision_output, self.text_output = (nn.Linear(inner, width) for _ in range(2))

    def forward(
        self, vision: Tensor, text: Tensor, vision_visible: Tensor, text_visible: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what each set learns from the other.

        Args:
            vision: float[B, S, D].
            text: float[B, K, D].
            vision_visible: bool[B, S]. True on tokens that may be seen; at least one a unit.
            text_visible: bool[B, K]. True on tokens that may be seen; at least one a unit.

        Returns:
            float[B, S, D] and float[B, K, D].
        """
        dropout = self.dropout if self.training else 0.0
        vision_query, text_query, vision_value, text_value = (
            _split(layer(tokens), self.heads)
            for layer, tokens in (
                (self.vision_query, vision),
                (self.text_query, text),
                (self.vision_value, vision),
                (self.text_value, text),
            )
        )
        to_vision = F.scaled_dot_product_attention(
            vision_query, text_query, text_value, attn_mask=text_visible[:, None, None], dropout_p=dropout
        )
        to_text = F.scaled_dot_product_attention(
            text_query, vision_query, vision_value, attn_mask=vision_visible[:, None, None], dropout_p=dropout
        )
        return self.vision_output(_join(to_vision)), self.text_output(_join(to_text))


class DeformableAttention(nn.Module):
    """Attention from queries to a few learned points around their reference, on several feature maps.

    Args:
        width: Width D.
        heads: Number of heads; divides the width.
        levels: Number of feature maps.
        points: Points a head and level.

    Source: Deformable DETR, arXiv:2010.04159.
    """

    def __init__(self, width: int, heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.offsets = nn.Linear(width, heads * levels * points * 2)
        self.weights = nn.Linear(width, heads * levels * points)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self._start_as_a_star()

    def _start_as_a_star(self) -> None:
        """Point every head in a direction of its own, and every point one cell further."""
        angles = torch.arange(self.heads, dtype=torch.float32) * (2 * math.pi / self.heads)
        directions = torch.stack([angles.cos(), angles.sin()], dim=-1)
        directions = directions / directions.abs().amax(-1, keepdim=True)
        steps = torch.arange(1, self.points + 1, dtype=torch.float32)
        star = directions[:, None, None] * steps[None, None, :, None]
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        with torch.no_grad():
            self.offsets.bias.copy_(star.expand(-1, self.levels, -1, -1).flatten())

    def forward(
        self, query: Tensor, references: Tensor, memory: Tensor, mask: Tensor, shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Attend from queries to feature maps.

        Args:
            query: float[B, Q, D].
            references: float[B, Q, L, 2 or 4]. Point (x, y) or box (cx, cy, w, h), in [0, 1] of each padded map.
            memory: float[B, S, D]. The maps of all levels, flattened and joined.
            mask: bool[B, S]. True on real cells; others count as 0.
            shapes: (height, width) of each level.

        Returns:
            float[B, Q, D].
        """
        values = self.value(memory).masked_fill(~mask.unsqueeze(-1), 0).unflatten(-1, (self.heads, -1))
        layout = (self.heads, self.levels, self.points)
        offsets = self.offsets(query).unflatten(-1, (*layout, 2))
        weights = self.weights(query).unflatten(-1, (self.heads, -1)).softmax(-1).unflatten(-1, layout[1:])
        centres = references[:, :, None, :, None, :2]
        if references.shape[-1] == 4:
            locations = centres + offsets * (references[:, :, None, :, None, 2:] * (0.5 / self.points))
        else:
            sizes_wh = torch.tensor([(w, h) for h, w in shapes], dtype=centres.dtype, device=query.device)
            locations = centres + offsets / sizes_wh[:, None]
        return self.output(deformable_attention(values, shapes, locations, weights))
