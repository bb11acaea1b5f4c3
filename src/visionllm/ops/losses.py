"""Loss terms of detection and segmentation, unreduced where the caller decides."""

import torch.nn.functional as F
from torch import Tensor


def focal_loss(logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return the sigmoid focal loss of every element.

    Args:
        logits: float[...]. Finite.
        targets: float[...]. 0 or 1.
        alpha: Share of the positives.
        gamma: How much well-classified elements are damped.

    Returns:
        float[...].

    Source: arXiv:1708.02002.

    >>> focal_loss(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor([0.0433])
    """
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    probability = logits.sigmoid()
    wrong = probability + targets - 2 * probability * targets
    balance = alpha * targets + (1 - alpha) * (1 - targets)
    return balance * wrong**gamma * entropy


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the dice loss of every mask, with 1 added to both sides of the fraction.

    Args:
        logits: float[N, P]. Mask logits at P points.
        targets: float[N, P]. Truth at these points, in [0, 1].

    Returns:
        float[N].

    >>> dice_loss(torch.tensor([[100.0, -100.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.])
    """
    probability = logits.sigmoid()
    shared = 2 * (probability * targets).sum(-1)
    return 1 - (shared + 1) / (probability.sum(-1) + targets.sum(-1) + 1)


def mask_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross entropy of every mask, averaged over its points.

    Args:
        logits: float[N, P]. Mask logits at P points.
        targets: float[N, P]. Truth at these points, in [0, 1].

    Returns:
        float[N].

    >>> mask_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([0.6931])
    """
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(-1)
