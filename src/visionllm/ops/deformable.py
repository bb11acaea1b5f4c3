"""Multi-scale deformable attention."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def deformable_attention(
    values: Tensor, shapes: Sequence[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Sum bilinear samples of several feature maps, a few points a query and head.

    Args:
        values: float[B, S, H, D]. The maps of all levels, flattened row by row and joined; H heads of width D.
        shapes: (height, width) of each level.
        locations: float[B, Q, H, L, P, 2]. (x, y) of each point, in [0, 1] of its map; outside of it everything is 0.
            Samples are taken in this type, whatever the type of the values.
        weights: float[B, Q, H, L, P]. Weight of each point.

    Returns:
        float[B, Q, H·D].

    Raises:
        ValueError: If the shapes don't cover the values, or the locations have another number of levels.

    Source: Deformable DETR, arXiv:2010.04159, section 4.1.

    >>> import torch
    >>> values = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1)
    >>> deformable_attention(values, [(2, 2)], torch.full((1, 1, 1, 1, 1, 2), 0.5), torch.ones(1, 1, 1, 1, 1))
    tensor([[[2.5000]]])
    """
    batch, total, heads, width = values.shape
    queries, levels = locations.shape[1], locations.shape[3]
    if sum(h * w for h, w in shapes) != total or len(shapes) != levels:
        raise ValueError(f"expected {levels} shapes that cover {total} values, got {list(shapes)}")
    grids = (2 * locations - 1).permute(3, 0, 2, 1, 4, 5).flatten(1, 2)  # L, B·H, Q, P, 2
    weights = weights.permute(3, 0, 2, 1, 4).flatten(1, 2).unsqueeze(2)  # L, B·H, 1, Q, P
    maps = values.permute(0, 2, 3, 1).flatten(0, 1).to(locations.dtype)  # B·H, D, S
    result = maps.new_zeros(batch * heads, width, queries)
    start = 0
    for (h, w), grid, weight in zip(shapes, grids, weights, strict=True):
        level = maps[:, :, start : start + h * w].unflatten(2, (h, w))
        sampled = F.grid_sample(level, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        result = result + (sampled * weight).sum(-1)
        start += h * w
    return result.view(batch, heads * width, queries).transpose(1, 2).to(values.dtype)
