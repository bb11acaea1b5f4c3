"""From the detector's outputs to results in pixels of the original picture."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from visionllm.decoders.detection.outputs import DetectionOutputs
from visionllm.ops.boxes import boxes_to_pixels, suppress
from visionllm.ops.masks import paste_masks
from visionllm.types.requests import Options
from visionllm.types.results import Detections
from visionllm.types.tensors import ImageBatch, Queries


def detections(
    outputs: DetectionOutputs, queries: Queries, images: ImageBatch, options: Options, threshold: float
) -> list[Detections]:
    """Return the best instances of every unit, best score first.

    Args:
        outputs: What the detector says about U units.
        queries: The units.
        images: The picture of each unit.
        options: How many instances, with masks or not, and whether overlapping ones are merged.
        threshold: Lowest score of a returned instance.
    """
    scores = outputs.logits.float().sigmoid()
    boxes = boxes_to_pixels(outputs.boxes.float(), images.sizes_hw)
    results = []
    for unit, (score, box) in enumerate(zip(scores, boxes, strict=True)):
        size = (int(images.sizes_hw[unit, 0]), int(images.sizes_hw[unit, 1]))
        resized = (int(images.resized_hw[unit, 0]), int(images.resized_hw[unit, 1]))
        query, group, best = _best(score, box, options, threshold)
        masks = None
        if options.masks:
            logits = outputs.mask_logits(unit, query).float()
            masks = paste_masks(logits, resized, size, stride=outputs.stride).cpu().numpy()
        results.append(
            Detections(
                boxes=_inside(box[query], size).cpu().numpy(),
                scores=best.cpu().numpy(),
                class_ids=group.cpu().numpy(),
                size_hw=size,
                masks=masks,
                routes=queries.routes[unit],
            )
        )
    return results


def _best(scores: Tensor, boxes: Tensor, options: Options, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return int[n] queries, int[n] query groups and float[n] scores of the instances to return.

    Args:
        scores: float[N, K]; 0 where masked.
        boxes: float[N, 4]. (x0, y0, x1, y1).
        options: How many instances, and whether overlapping ones are merged.
        threshold: Lowest score.
    """
    flat = scores.flatten()
    order = flat.argsort(descending=True, stable=True)
    order = order[(flat[order] >= threshold) & (flat[order] > 0)]
    if options.nms_iou is None and options.max_per_class is None:
        order = order[: options.max_instances]
    query, group = order // scores.shape[1], order % scores.shape[1]
    if options.nms_iou is not None:
        limit = options.max_instances if options.max_per_class is None else None
        kept = suppress(boxes[query], flat[order], group, options.nms_iou, limit)
        query, group, order = query[kept], group[kept], order[kept]
    if options.max_per_class is not None:
        rank = one_hot(group, scores.shape[1]).cumsum(0).gather(1, group.unsqueeze(1)).squeeze(1)
        kept = rank <= options.max_per_class
        query, group, order = query[kept], group[kept], order[kept]
    most = slice(options.max_instances)
    return query[most], group[most], flat[order[most]]


def _inside(boxes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Return corner boxes cut at the border of the picture."""
    limits = torch.tensor([size_hw[1], size_hw[0]] * 2, dtype=boxes.dtype, device=boxes.device)
    return torch.minimum(boxes.clamp(min=0), limits)
