"""Running a network on each picture's own canvas, so that a batch gives the numbers of its singles."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

CanvasGroup = tuple[Tensor, tuple[int, int]]


def canvas_groups(sizes_hw: Tensor) -> list[CanvasGroup]:
    """Group pictures by size.

    Args:
        sizes_hw: int[B, 2]. (height, width) of each picture's own canvas.

    Returns:
        (int[b] indices, (height, width)) of each distinct size.

    >>> canvas_groups(torch.tensor([[4, 8], [4, 4], [4, 8]]))
    [(tensor([1]), (4, 4)), (tensor([0, 2]), (4, 8))]
    """
    members: dict[tuple[int, int], list[int]] = {}
    for i, (h, w) in enumerate(sizes_hw.tolist()):
        members.setdefault((h, w), []).append(i)
    return [(torch.tensor(rows, device=sizes_hw.device), size) for size, rows in sorted(members.items())]


def paste(maps: Sequence[Tensor], groups: Sequence[CanvasGroup]) -> Tensor:
    """Put the maps of groups back into one batch, zeros at the right and at the bottom.

    Args:
        maps: [b, C, h, w] of each group.
        groups: The groups, in the same order.

    Returns:
        [B, C, H, W], in the pictures' order.
    """
    if len(maps) == 1:
        return maps[0]
    height, width = max(m.shape[2] for m in maps), max(m.shape[3] for m in maps)
    padded = [F.pad(m, (0, width - m.shape[3], 0, height - m.shape[2])) for m in maps]
    order = torch.cat([rows for rows, _ in groups])
    return torch.cat(padded)[order.argsort()]
