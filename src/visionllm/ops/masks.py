"""Masks: sampling at points, choosing the points, scaling to the original picture."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_points(maps: Tensor, points: Tensor) -> Tensor:
    """Read maps at points, bilinearly; outside of a map everything is 0.

    Args:
        maps: float[N, C, H, W].
        points: float[N, P, 2]. (x, y) in [0, 1] of the map's extent.

    Returns:
        float[N, C, P].

    >>> sample_points(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[0.25, 0.5], [0.5, 0.5]]]))
    tensor([[[1., 2.]]])
    """
    return F.grid_sample(maps, 2 * points.unsqueeze(2) - 1, align_corners=False).squeeze(3)


def sample_masks(masks: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Read masks at points, bilinearly; outside of a mask everything is 0.

    The same as `sample_points(masks[rows].float()...)`, without a copy of any mask.

    Args:
        masks: bool[G, H, W].
        rows: int[N]. Which mask each row of points reads.
        points: float[N, P, 2]. (x, y) in [0, 1] of the masks' extent.

    Returns:
        float[N, P].

    >>> masks = torch.tensor([[[False, True]]])
    >>> sample_masks(masks, torch.tensor([0]), torch.tensor([[[0.25, 0.5], [0.5, 0.5], [0.75, 0.5]]]))
    tensor([[0.0000, 0.5000, 1.0000]])
    """
    height, width = masks.shape[1:]
    flat = masks.flatten()
    x, y = points[..., 0] * width - 0.5, points[..., 1] * height - 0.5
    left, top = x.floor(), y.floor()
    result = torch.zeros_like(x)
    for column, across in ((left, left + 1 - x), (left + 1, x - left)):
        for row, down in ((top, top + 1 - y), (top + 1, y - top)):
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            cell = rows[:, None] * (height * width) + (row * width + column).long()
            result += across * down * (flat[cell.masked_fill(~inside, 0)] & inside)
    return result


def uncertain_points(logits: Tensor, candidates: Tensor, count: int) -> Tensor:
    """Keep the candidates at which the masks are the least certain.

    Args:
        logits: float[N, 1, H, W]. Mask logits; 0 is the least certain.
        candidates: float[N, M, 2]. (x, y) in [0, 1].
        count: How many to keep a mask.

    Returns:
        float[N, count, 2], the least certain first.

    Source: PointRend, arXiv:1912.08193, section 3.1.

    >>> logits = torch.tensor([[[[-9.0, 0.0, 9.0]]]])
    >>> uncertain_points(logits, torch.tensor([[[0.1, 0.5], [0.5, 0.5]]]), 1)
    tensor([[[0.5000, 0.5000]]])
    """
    certainty = sample_points(logits, candidates).squeeze(1).abs()
    kept = certainty.topk(count, dim=1, largest=False).indices
    return candidates.gather(1, kept.unsqueeze(-1).expand(-1, -1, 2))


def paste_masks(logits: Tensor, resized_hw: tuple[int, int], size_hw: tuple[int, int], *, stride: int = 4) -> Tensor:
    """Scale mask logits to the original picture.

    Args:
        logits: float[N, h, w]. Over the padded picture, one cell for `stride` pixels.
        resized_hw: (height, width) of the real pixels, at the top left.
        size_hw: (height, width) of the original picture.
        stride: Pixels a cell.

    Returns:
        bool[N, H, W], at the size of the original picture.

    >>> paste_masks(torch.tensor([[[9.0, -9.0]]]), (4, 8), (2, 4))
    tensor([[[ True,  True, False, False],
             [ True,  True, False, False]]])
    """
    if not len(logits):
        return logits.new_zeros((0, *size_hw), dtype=torch.bool)
    return _scaled(logits, resized_hw, size_hw, stride) > 0


def semantic_map(
    scores: Tensor, logits: Tensor, resized_hw: tuple[int, int], size_hw: tuple[int, int], stride: int = 4
) -> tuple[Tensor, Tensor]:
    """Give each pixel the class that most of what is seen there speaks for.

    A class has at a pixel the sum over all object queries of its probability times that of the query's mask. The sums
    are taken on the coarse map and scaled class by class: the same as scaling the masks first, with little memory.

    Args:
        scores: float[N, K]. Class probabilities; K is 1 or more.
        logits: float[N, h, w]. Mask logits over the padded picture, one cell for `stride` pixels.
        resized_hw: (height, width) of the real pixels, at the top left.
        size_hw: (height, width) of the original picture.
        stride: Pixels a cell.

    Returns:
        int[H, W] classes, the first of equal ones, and float[H, W] their sums, which may exceed 1.

    Raises:
        ValueError: If there is no class.

    Source: VisionLLM v2's semantic segmentation; MaskFormer, arXiv:2107.06278, section 3.4.

    >>> scores = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> semantic_map(scores, torch.tensor([[[9.0, -9.0]], [[-9.0, 9.0]]]), (4, 8), (1, 2))[0]
    tensor([[0, 1]])
    """
    if not scores.shape[1]:
        raise ValueError("expected scores of one class or more, got none")
    coarse = torch.einsum("nk,nhw->khw", scores, logits.sigmoid())
    classes = torch.zeros(size_hw, dtype=torch.long, device=scores.device)
    best = torch.full(size_hw, -torch.inf, dtype=coarse.dtype, device=scores.device)
    for number, sums in enumerate(coarse):
        own = _scaled(sums.unsqueeze(0), resized_hw, size_hw, stride).squeeze(0)
        classes = torch.where(own > best, number, classes)
        best = torch.maximum(own, best)
    return classes, best


def _scaled(maps: Tensor, resized_hw: tuple[int, int], size_hw: tuple[int, int], stride: int) -> Tensor:
    """Scale float[N, h, w] over the padded picture to float[N, H, W] over the original one."""
    fine = F.interpolate(maps.unsqueeze(1), scale_factor=stride, mode="bilinear", align_corners=False)
    fine = fine[:, :, : resized_hw[0], : resized_hw[1]]
    return F.interpolate(fine, size=size_hw, mode="bilinear", align_corners=False).squeeze(1)
