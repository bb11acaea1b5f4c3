"""Keypoints: likeness and distance."""

import torch
from torch import Tensor


def object_keypoint_similarity(
    keypoints: Tensor, truth: Tensor, visible: Tensor, areas: Tensor, sigmas: Tensor
) -> Tensor:
    """Return how alike poses are, averaged over the visible keypoints.

    Args:
        keypoints: float[..., P, 2]. (x, y).
        truth: float[..., P, 2], broadcast against `keypoints`.
        visible: bool[..., P]. True on keypoints of the truth that count.
        areas: float[...]. Area of each true object, in squares of the unit of (x, y).
        sigmas: float[P] or float[..., P]. How far off each keypoint may be, as a share of the object's size.

    Returns:
        float[...] in [0, 1]; 0 where no keypoint is visible.

    Source: COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval; SPEC C.5.

    >>> here, there = torch.tensor([[0.5, 0.5], [0.2, 0.2]]), torch.tensor([[0.5, 0.5], [0.9, 0.9]])
    >>> both = torch.tensor([True, True])
    >>> object_keypoint_similarity(here, there, both, torch.tensor(0.1), torch.full((2,), 0.025))
    tensor(0.5000)
    """
    squared = (keypoints - truth).square().sum(-1)
    reach = areas.unsqueeze(-1) * (2 * sigmas).square() * 2
    # only visible keypoints count, and a truth without any has no area to divide by
    alike = torch.exp(-squared / reach.clamp(min=torch.finfo(reach.dtype).tiny)) * visible
    return alike.sum(-1) / (visible.sum(-1) + 1e-6)


def oks_loss(keypoints: Tensor, truth: Tensor, visible: Tensor, areas: Tensor, sigmas: Tensor) -> Tensor:
    """Return 1 minus the object keypoint similarity of each pose; the arguments are the same.

    >>> here, seen = torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.bool)
    >>> oks_loss(here, here, seen, torch.ones(1), torch.full((1,), 0.025))
    tensor([9.5367e-07])
    """
    return 1 - object_keypoint_similarity(keypoints, truth, visible, areas, sigmas).clamp(min=1e-6)


def keypoint_distance(keypoints: Tensor, truth: Tensor, visible: Tensor) -> Tensor:
    """Return the L1 distance of poses, summed over the visible keypoints.

    Args:
        keypoints: float[..., P, 2]. (x, y).
        truth: float[..., P, 2], broadcast against `keypoints`.
        visible: bool[..., P]. True on keypoints of the truth that count.

    Returns:
        float[...].

    >>> keypoint_distance(torch.zeros(2, 2), torch.ones(2, 2), torch.tensor([True, False]))
    tensor(2.)
    """
    return ((keypoints - truth).abs().sum(-1) * visible).sum(-1)
