"""From scores to the instances worth returning."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from visionllm.ops.boxes import suppress
from visionllm.types.requests import Options


def best_instances(scores: Tensor, boxes: Tensor, options: Options, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return int[n] queries, int[n] query groups and float[n] scores of the instances to return, best first.

    Args:
        scores: float[N, K]; 0 where masked.
        boxes: float[N, 4]. (x0, y0, x1, y1).
        options: How many instances, and whether overlapping ones are merged.
        threshold: Lowest score, but of the best `min_per_class` of a group.
    """
    flat = scores.flatten()
    order = flat.argsort(descending=True, stable=True)
    order = order[flat[order] > 0]
    kept = flat[order] >= threshold
    if options.min_per_class:
        kept |= _ranks(order % scores.shape[1], scores.shape[1]) <= options.min_per_class
    order = order[kept][: options.candidates]
    if options.nms_iou is None and options.max_per_class is None:
        order = order[: options.max_instances]
    query, group = order // scores.shape[1], order % scores.shape[1]
    if options.nms_iou is not None:
        limit = options.max_instances if options.max_per_class is None else None
        kept = suppress(boxes[query], flat[order], group, options.nms_iou, limit)
        query, group, order = query[kept], group[kept], order[kept]
    if options.max_per_class is not None:
        kept = _ranks(group, scores.shape[1]) <= options.max_per_class
        query, group, order = query[kept], group[kept], order[kept]
    most = slice(options.max_instances)
    return query[most], group[most], flat[order[most]]


def _ranks(groups: Tensor, count: int) -> Tensor:
    """Return int[n], the place of each instance among those of its group, from 1 on."""
    return one_hot(groups, count).cumsum(0).gather(1, groups.unsqueeze(1)).squeeze(1)


def inside_picture(boxes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Return corner boxes cut at the border of the picture."""
    limits = torch.tensor([size_hw[1], size_hw[0]] * 2, dtype=boxes.dtype, device=boxes.device)
    return torch.minimum(boxes.clamp(min=0), limits)
