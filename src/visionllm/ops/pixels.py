"""Rearranging the cells of feature maps."""

from torch import Tensor


def pixel_shuffle(features: Tensor) -> Tensor:
    """Join each 2×2 block of cells into one cell of four times the width.

    Args:
        features: float[N, H, W, C], H and W even.

    Returns:
        float[N, H/2, W/2, 4C]. The channels of a block: top left, top right, bottom left, bottom right.

    Raises:
        ValueError: If a side is odd.

    Source: InternVL 1.5, arXiv:2404.16821, section 3.2.

    >>> import torch
    >>> pixel_shuffle(torch.arange(4.0).view(1, 2, 2, 1))
    tensor([[[[0., 1., 2., 3.]]]])
    """
    n, h, w, c = features.shape
    if h % 2 or w % 2:
        raise ValueError(f"expected even sides, got {h}×{w}")
    blocks = features.view(n, h // 2, 2, w // 2, 2, c)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)
