"""From the detector's outputs to results in pixels of the original picture."""

import torch
from torch import Tensor

from visionllm.decoders.base.checks import check_finite
from visionllm.decoders.base.postprocess import best_instances, inside_picture
from visionllm.decoders.detection.outputs import DetectionOutputs
from visionllm.ops.boxes import boxes_to_pixels
from visionllm.ops.masks import paste_masks, semantic_map
from visionllm.types.requests import Options
from visionllm.types.results import Detections
from visionllm.types.tensors import ImageBatch, Queries


def detections(
    outputs: DetectionOutputs,
    queries: Queries,
    images: ImageBatch,
    options: Options,
    threshold: float,
    *,
    past_border: bool = False,
) -> list[Detections]:
    """Return the best instances of every unit, best score first.

    Args:
        outputs: What the detector says about U units.
        queries: The units.
        images: The picture of each unit.
        options: How many instances, with masks or not, and whether overlapping ones are merged.
        threshold: Lowest score of a returned instance.
        past_border: Boxes may reach past the border of the picture; see `Quirks.boxes_past_border`.

    Raises:
        FloatingPointError: If a logit or a box is not a number.
    """
    check_finite("logits and boxes", outputs.logits, outputs.boxes)
    scores = outputs.logits.float().sigmoid()
    boxes = boxes_to_pixels(outputs.boxes.float(), images.sizes_hw)
    results = []
    for unit, (score, box) in enumerate(zip(scores, boxes, strict=True)):
        size = (int(images.sizes_hw[unit, 0]), int(images.sizes_hw[unit, 1]))
        resized = (int(images.resized_hw[unit, 0]), int(images.resized_hw[unit, 1]))
        query, group, best = best_instances(score, box, options, threshold)
        masks = None
        if options.masks:
            logits = outputs.mask_logits(unit, query).float()
            masks = paste_masks(logits, resized, size, stride=outputs.stride).cpu().numpy()
        results.append(
            Detections(
                boxes=(box[query] if past_border else inside_picture(box[query], size)).cpu().numpy(),
                scores=best.cpu().numpy(),
                class_ids=group.cpu().numpy(),
                size_hw=size,
                masks=masks,
                routes=queries.routes[unit],
            )
        )
    return results


def class_maps(outputs: DetectionOutputs, images: ImageBatch) -> list[tuple[Tensor, Tensor]]:
    """Return int[H, W] and float[H, W] for every unit: the query group of each pixel, and its score.

    Args:
        outputs: What the detector says about U units.
        images: The picture of each unit.
    """
    every = torch.arange(outputs.logits.shape[1], device=outputs.logits.device)
    maps = []
    for unit, mask in enumerate(outputs.text_mask):
        scores = outputs.logits[unit, :, mask].float().sigmoid()
        resized, size = ((int(sizes[unit, 0]), int(sizes[unit, 1])) for sizes in (images.resized_hw, images.sizes_hw))
        maps.append(semantic_map(scores, outputs.mask_logits(unit, every).float(), resized, size, outputs.stride))
    return maps
