"""Boxes: formats, overlap, suppression."""

import torch
from torch import Tensor


def to_corners(boxes: Tensor) -> Tensor:
    """Convert centre boxes to corner boxes.

    Args:
        boxes: float[..., 4]. (cx, cy, w, h).

    Returns:
        float[..., 4]. (x0, y0, x1, y1), in the same unit.

    >>> to_corners(torch.tensor([0.5, 0.5, 1.0, 0.5]))
    tensor([0.0000, 0.2500, 1.0000, 0.7500])
    """
    centre, extent = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - extent / 2, centre + extent / 2], dim=-1)


def to_centres(boxes: Tensor) -> Tensor:
    """Convert corner boxes to centre boxes.

    Args:
        boxes: float[..., 4]. (x0, y0, x1, y1).

    Returns:
        float[..., 4]. (cx, cy, w, h), in the same unit.

    >>> to_centres(torch.tensor([0.0, 0.25, 1.0, 0.75]))
    tensor([0.5000, 0.5000, 1.0000, 0.5000])
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def boxes_to_pixels(boxes: Tensor, sizes_hw: Tensor) -> Tensor:
    """Convert normalised centre boxes to absolute corner boxes.

    Args:
        boxes: float[B, N, 4]. (cx, cy, w, h), each in [0, 1] of the unpadded image.
        sizes_hw: int[B, 2]. (height, width) of each original image, in pixels.

    Returns:
        float[B, N, 4]. (x0, y0, x1, y1) in pixels; x1 and y1 are exclusive.

    Raises:
        ValueError: If the batch sizes differ.

    >>> boxes_to_pixels(torch.tensor([[[0.5, 0.5, 1.0, 0.5]]]), torch.tensor([[100, 200]]))
    tensor([[[  0.,  25., 200.,  75.]]])
    """
    if len(boxes) != len(sizes_hw):
        raise ValueError(f"expected {len(boxes)} sizes, one per image, got {len(sizes_hw)}")
    return to_corners(boxes) * sizes_hw.flip(-1).repeat(1, 2)[:, None]


def inverse_sigmoid(x: Tensor, eps: float = 1e-5) -> Tensor:
    """Return the logit of numbers in [0, 1], each side of the odds clamped to at least `eps`.

    >>> inverse_sigmoid(torch.tensor([0.5, 0.0]))
    tensor([  0.0000, -11.5129])
    """
    x = x.clamp(0, 1)
    return torch.log(x.clamp(min=eps) / (1 - x).clamp(min=eps))


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection and union of corner boxes, broadcast over the leading dimensions."""
    extent = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = extent[..., 0] * extent[..., 1]
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return shared, area_a + area_b - shared


def iou(a: Tensor, b: Tensor, *, eps: float = 0.0) -> Tensor:
    """Return the intersection over union of boxes.

    Args:
        a: float[..., 4]. (x0, y0, x1, y1).
        b: float[..., 4], broadcast against `a`: `iou(a[:, None], b[None])` compares all pairs.
        eps: Added to the denominator; without it two empty boxes give NaN.

    Returns:
        float[...] in [0, 1].

    >>> iou(torch.tensor([0.0, 0.0, 2.0, 2.0]), torch.tensor([1.0, 0.0, 3.0, 2.0]))
    tensor(0.3333)
    """
    shared, union = _overlap(a, b)
    return shared / (union + eps)


def generalised_iou(a: Tensor, b: Tensor, *, eps: float = 0.0) -> Tensor:
    """Return the generalised intersection over union of boxes.

    Args:
        a: float[..., 4]. (x0, y0, x1, y1).
        b: float[..., 4], broadcast against `a`.
        eps: Added to both denominators; without it two empty boxes give NaN.

    Returns:
        float[...] in [-1, 1].

    Source: arXiv:1902.09630.

    >>> generalised_iou(torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([2.0, 0.0, 3.0, 1.0]))
    tensor(-0.3333)
    """
    shared, union = _overlap(a, b)
    extent = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0)
    hull = extent[..., 0] * extent[..., 1]
    return shared / (union + eps) - (hull - union) / (hull + eps)


def suppress(boxes: Tensor, scores: Tensor, class_ids: Tensor, threshold: float, limit: int | None = None) -> Tensor:
    """Drop every box that overlaps a better box of its own class.

    Args:
        boxes: float[N, 4]. (x0, y0, x1, y1).
        scores: float[N].
        class_ids: int[N].
        threshold: Boxes whose intersection over union exceeds this are one.
        limit: Stop after this many; None keeps all.

    Returns:
        int[M]. The kept boxes, best score first.

    >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [0.0, 0.0, 2.0, 2.0]])
    >>> suppress(boxes, torch.tensor([0.8, 0.9, 0.7]), torch.tensor([0, 0, 1]), 0.5)
    tensor([1, 2])
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, class_ids = boxes[order], class_ids[order]
    alive = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    kept: list[int] = []
    while alive.any() and len(kept) != limit:
        best = int(alive.int().argmax())
        kept.append(best)
        alive &= (iou(boxes[best], boxes, eps=1e-7) <= threshold) | (class_ids != class_ids[best])
        alive[best] = False
    return order[kept]
