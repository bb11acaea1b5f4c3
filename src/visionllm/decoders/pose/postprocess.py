"""From the pose decoder's outputs to results in pixels of the original picture."""

import torch

from visionllm.config.quirks import Quirks
from visionllm.decoders.base.checks import check_finite
from visionllm.decoders.base.postprocess import best_instances, inside_picture
from visionllm.decoders.pose.outputs import PoseOutputs
from visionllm.ops.boxes import boxes_to_pixels
from visionllm.types.poses import Poses
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch


def poses(
    outputs: PoseOutputs, images: ImageBatch, options: Options, threshold: float, quirks: Quirks | None = None
) -> list[Poses]:
    """Return the best poses of every unit, best score first, with the keypoints that were asked for.

    Args:
        outputs: What the decoder says about U units.
        images: The picture of each unit.
        options: How many instances, and whether overlapping ones are merged.
        threshold: Lowest score of a returned instance.
        quirks: Published faults to reproduce.

    Raises:
        FloatingPointError: If a logit, a box or a keypoint is not a number.
        ValueError: If the last layer has no keypoints.
    """
    last = outputs.layers[-1]
    if last.keypoints is None:
        raise ValueError("expected keypoints of the last layer, got none")
    check_finite("logits, boxes and keypoints", last.logits, last.boxes, last.keypoints)
    scores = last.logits.float().sigmoid()
    boxes = boxes_to_pixels(last.boxes.float(), images.sizes_hw)
    keypoints = last.keypoints.float() * images.sizes_hw.flip(-1)[:, None, None]
    results, quirks = [], quirks or Quirks()
    for unit, mask in enumerate(outputs.keypoint_mask):
        size = (int(images.sizes_hw[unit, 0]), int(images.sizes_hw[unit, 1]))
        query, group, best = best_instances(scores[unit], boxes[unit], options, threshold)
        found, place = keypoints[unit, query][:, mask], boxes[unit, query]
        own = best[:, None].expand(found.shape[:2])
        if quirks.keypoints_surely_seen:
            own = torch.ones_like(own)
        elif last.visible is not None:
            own = last.visible[unit, query][:, mask].float().sigmoid()
        results.append(
            Poses(
                boxes=(place if quirks.boxes_past_border else inside_picture(place, size)).cpu().numpy(),
                scores=best.cpu().numpy(),
                class_ids=group.cpu().numpy(),
                keypoints=found.cpu().numpy(),
                keypoint_scores=own.contiguous().cpu().numpy(),
                size_hw=size,
            )
        )
    return results
