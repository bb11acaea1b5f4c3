"""Resizing by area: each new pixel is the mean of what it covers."""

import torch
from torch import Tensor


def resize_by_area(pictures: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Resize pictures; a new pixel weighs the old ones by how much of each it covers, at any ratio.

    Args:
        pictures: float[..., H, W].
        size_hw: (height, width) of the result, in pixels.

    Returns:
        float[..., height, width].

    Raises:
        ValueError: If a side is shorter than one pixel.

    >>> resize_by_area(torch.tensor([[0.0, 3.0, 6.0]]), (1, 2))
    tensor([[1., 5.]])
    """
    if min(size_hw) < 1:
        raise ValueError(f"expected a size of at least one pixel a side, got {size_hw}")
    rows, columns = (_shares(old, new).to(pictures) for old, new in zip(pictures.shape[-2:], size_hw, strict=True))
    return rows @ pictures @ columns.T


def _shares(old: int, new: int) -> Tensor:
    """Return float64[new, old], how much of each new pixel lies in each old one; every row sums to 1."""
    edges = torch.arange(new + 1, dtype=torch.float64) * (old / new)
    starts = torch.arange(old, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], starts + 1) - torch.maximum(edges[:-1, None], starts)
    return covered.clamp(min=0) * (new / old)
