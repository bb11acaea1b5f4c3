"""Assignment of predictions to truth."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from visionllm.ops.boxes import generalised_iou, to_corners


def class_cost(logits: Tensor, class_ids: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return the focal cost of calling each prediction each truth's class.

    Args:
        logits: float[..., N, K]. −inf on masked classes.
        class_ids: int[..., T]. Class of each truth.
        alpha: Share of the positives.
        gamma: How much well-classified elements are damped.

    Returns:
        float[..., N, T]. Cost of the positive minus the cost of the negative it would have been.

    >>> class_cost(torch.tensor([[0.0, 2.0]]), torch.tensor([1]))
    tensor([[-1.2371]])
    """
    index = class_ids.unsqueeze(-2).expand(*logits.shape[:-1], class_ids.shape[-1])
    p = logits.gather(-1, index).sigmoid()
    positive = alpha * (1 - p) ** gamma * -(p + 1e-8).log()
    negative = (1 - alpha) * p**gamma * -(1 - p + 1e-8).log()
    return positive - negative


def box_costs(boxes: Tensor, truth: Tensor, *, eps: float = 1e-7) -> tuple[Tensor, Tensor]:
    """Return the L1 distance and the negated generalised overlap of all pairs.

    Args:
        boxes: float[..., N, 4]. (cx, cy, w, h).
        truth: float[..., T, 4]. (cx, cy, w, h).
        eps: Added to the denominators of the overlap.

    Returns:
        Two float[..., N, T].

    >>> box_costs(torch.tensor([[0.5, 0.5, 1.0, 1.0]]), torch.tensor([[0.5, 0.5, 1.0, 0.5]]))
    (tensor([[0.5000]]), tensor([[-0.5000]]))
    """
    distance = torch.cdist(boxes, truth, p=1)
    overlap = generalised_iou(to_corners(boxes).unsqueeze(-2), to_corners(truth).unsqueeze(-3), eps=eps)
    return distance, -overlap


def assign(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Pair predictions with truths at the least total cost.

    Args:
        cost: float[N, T], finite.

    Returns:
        Two int[min(N, T)]: predictions in ascending order, and the truth of each.

    >>> assign(torch.tensor([[1.0, 9.0], [9.0, 9.0], [9.0, 1.0]]))
    (tensor([0, 2]), tensor([0, 1]))
    """
    rows, columns = linear_sum_assignment(cost.detach().cpu().numpy())
    return torch.as_tensor(rows, device=cost.device), torch.as_tensor(columns, device=cost.device)
