"""Sine embeddings of positions."""

import math

import torch
from torch import Tensor


def sine_embedding(positions: Tensor, width: int, *, temperature: float = 10000.0) -> Tensor:
    """Embed numbers by sines and cosines of falling frequency.

    Args:
        positions: float[..., P].
        width: Even width E of each embedding.
        temperature: Ratio of the highest to the lowest frequency.

    Returns:
        float[..., P·E]. Sine and cosine in turns; the numbers one after the other.

    >>> sine_embedding(torch.tensor([0.125]), 2)
    tensor([0.7071, 0.7071])
    """
    step = torch.arange(0, width, 2, dtype=torch.float32, device=positions.device)
    angles = positions.unsqueeze(-1) * (2 * math.pi) / temperature ** (step / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-3)


def box_embedding(boxes: Tensor, width: int) -> Tensor:
    """Embed boxes for the queries of a decoder.

    Args:
        boxes: float[..., 4]. (cx, cy, w, h) in [0, 1].
        width: Even width E of each number.

    Returns:
        float[..., 4·E], in the order cy, cx, w, h.
    """
    x, y, w, h = boxes.unbind(-1)
    return sine_embedding(torch.stack([y, x, w, h], dim=-1), width)


def grid_embedding(mask: Tensor, width: int, *, temperature: float) -> Tensor:
    """Embed the cells of maps by their place among the real cells.

    Args:
        mask: bool[B, H, W]. True on real cells.
        width: Width D of each embedding, a multiple of 4.
        temperature: Ratio of the highest to the lowest frequency.

    Returns:
        float[B, H, W, D]: the row in the first half, the column in the second.
    """
    row, column = (mask.cumsum(axis, dtype=torch.float32) for axis in (1, 2))
    row = row / (row[:, -1:, :] + 1e-6)
    column = column / (column[:, :, -1:] + 1e-6)
    return sine_embedding(torch.stack([row, column], dim=-1), width // 2, temperature=temperature)
