"""Denoising queries: truths with noise, which the decoder learns to repair."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.ops.boxes import inverse_sigmoid, to_centres, to_corners
from visionllm.ops.draws import Draws


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisySettings:
    """How much noise, and how many queries.

    Attributes:
        queries: Pairs of denoising queries a unit that the groups together aim at.
        label_noise: Twice the rate at which a query gets a random label.
        box_noise: Largest shift of a box's corners, in half box sizes; negatives are shifted by up to twice as much.
        flip_to_padding: A random label may be a padded query group.
        eps: Clamp of the inverse sigmoid of the boxes.
    """

    queries: int = 100
    label_noise: float = 0.5
    box_noise: float = 1.0
    flip_to_padding: bool = False
    eps: float = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyQueries:
    """Denoising queries of a batch; a group holds T positives, then T negatives, one pair a truth.

    Attributes:
        content: float[B, M, D]. The query group that each query claims to be; zero where padded. M = groups · 2 · T.
        boxes: float[B, M, 4]. Logits of (cx, cy, w, h); zero where padded.
        groups: Number of groups.
        truths: T, the most truths a unit has.
        counts: Number of truths of each unit.
    """

    content: Tensor
    boxes: Tensor
    groups: int
    truths: int
    counts: tuple[int, ...]

    def visible(self, object_queries: int) -> Tensor:
        """Return bool[M + N, M + N]: a denoising query is seen by its own group only, and sees all object queries."""
        total = self.content.shape[1]
        group = torch.arange(total, device=self.content.device) // (2 * self.truths)
        group = torch.cat([group, group.new_full((object_queries,), self.groups)])
        return (group[:, None] == group[None]) | (group[None] == self.groups)

    def pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return int[P] units, queries and truths: every positive with its truth, truths counted over the batch."""
        device = self.content.device
        units, queries, truths = [], [], []
        start = 0
        for unit, count in enumerate(self.counts):
            each = torch.arange(count, device=device)
            firsts = torch.arange(self.groups, device=device)[:, None] * (2 * self.truths)
            units.append(torch.full((self.groups * count,), unit, device=device))
            queries.append((firsts + each).flatten())
            truths.append((start + each).repeat(self.groups))
            start += count
        return torch.cat(units), torch.cat(queries), torch.cat(truths)


def noisy_queries(
    text: Tensor,
    text_mask: Tensor,
    boxes: Sequence[Tensor],
    class_ids: Sequence[Tensor],
    settings: NoisySettings,
    draws: Draws,
) -> NoisyQueries | None:
    """Make denoising queries from truths.

    Args:
        text: float[B, K, D]. Projected query groups, the content of the queries.
        text_mask: bool[B, K]. True on real query groups.
        boxes: float[n, 4] of each unit. (cx, cy, w, h) in [0, 1].
        class_ids: int[n] of each unit. Query group of each truth.
        settings: How much noise.
        draws: Label flips, new labels, signs and sizes of the box shifts, in this order.

    Returns:
        The queries, or None if there is no truth at all.

    Source: DINO, arXiv:2203.03605, section 3.3.
    """
    counts = tuple(len(b) for b in boxes)
    most = max(counts, default=0)
    if not most:
        return None
    groups = max(1, settings.queries // most)
    device = text.device
    unit = torch.repeat_interleave(torch.arange(len(counts), device=device), torch.tensor(counts, device=device))
    place = torch.cat([torch.arange(n, device=device) for n in counts])
    units = unit.repeat(2 * groups)
    slots = torch.cat([place + most * i for i in range(2 * groups)])
    labels = _flip(torch.cat(list(class_ids)).repeat(2 * groups), units, text_mask, settings, draws)
    negative = (slots // most) % 2 == 1
    shifted = _shift(torch.cat(list(boxes)).repeat(2 * groups, 1), negative, settings.box_noise, draws)
    total = 2 * groups * most
    content = text.new_zeros(len(counts), total, text.shape[-1]).index_put((units, slots), text[units, labels])
    logits = shifted.new_zeros(len(counts), total, 4).index_put((units, slots), inverse_sigmoid(shifted, settings.eps))
    return NoisyQueries(content=content, boxes=logits, groups=groups, truths=most, counts=counts)


def _flip(labels: Tensor, units: Tensor, text_mask: Tensor, settings: NoisySettings, draws: Draws) -> Tensor:
    """Replace a part of the labels by random ones of the same unit."""
    device = labels.device
    flipped = draws.uniform(tuple(labels.shape), device) < settings.label_noise * 0.5
    rows = flipped.nonzero().squeeze(1)
    if settings.flip_to_padding:
        new = draws.integers(text_mask.shape[1], (len(rows),), device)
    else:
        choices = text_mask.sum(1)[units[rows]]
        nth = (draws.uniform((len(rows),), device) * choices).long()
        ranks = (text_mask.cumsum(1) - 1).masked_fill(~text_mask, -1)
        new = (ranks[units[rows]] == nth.unsqueeze(1)).int().argmax(1)
    return labels.index_put((rows,), new)


def _shift(boxes: Tensor, negative: Tensor, noise: float, draws: Draws) -> Tensor:
    """Move the corners of centre boxes by up to one half size, those of negatives by one to two."""
    half = boxes[:, 2:].repeat(1, 2) / 2
    sign = draws.integers(2, tuple(boxes.shape), boxes.device) * 2 - 1
    size = draws.uniform(tuple(boxes.shape), boxes.device) + negative.unsqueeze(1)
    return to_centres((to_corners(boxes) + sign * size * half * noise).clamp(0, 1))
