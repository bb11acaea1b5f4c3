"""Rearranging the cells of feature maps."""

from torch import Tensor


def pixel_shuffle(features: Tensor, side: int = 2) -> Tensor:
    """Join each square of neighbouring cells into one cell.

    Args:
        features: float[N, H, W, C], H and W multiples of the side.
        side: Cells a side of the square.

    Returns:
        float[N, H/side, W/side, side²·C]. The channels of a square's cells, row by row.

    Raises:
        ValueError: If the sides don't divide.

    Source: InternVL 1.5, arXiv:2404.16821, section 3.2.

    >>> import torch
    >>> pixel_shuffle(torch.arange(4.0).view(1, 2, 2, 1))
    tensor([[[[0., 1., 2., 3.]]]])
    """
    n, h, w, c = features.shape
    if h % side or w % side:
        raise ValueError(f"expected sides that are multiples of {side}, got {h}×{w}")
    squares = features.view(n, h // side, side, w // side, side, c)
    return squares.permute(0, 1, 3, 2, 4, 5).reshape(n, h // side, w // side, side * side * c)
