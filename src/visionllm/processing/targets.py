"""Truth → decoder targets, one value a unit: the query groups that are decoded together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import torch

from visionllm.processing.chat import Group, Written
from visionllm.processing.decoder_images import resize_masks
from visionllm.types import DetectionTruth, Routed, Sample
from visionllm.types.tensors import Batch, DetectionTargets, ModelInputs, Route


class Unit(NamedTuple):
    """Where a unit is: its row, its turn, and the index in the row of its first group's routing token."""

    row: int
    turn: int
    position: int


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainBatch(Batch):
    """A batch to learn from.

    Attributes:
        inputs: Padded on the right; `labels` are the ids to be learned at their own places, not shifted.
        targets: What the detector should find for each unit of an answer, in the order of rows and tokens. Units of
            earlier assistant messages have none.
        units: Where each target belongs.
    """

    inputs: ModelInputs
    targets: tuple[DetectionTargets, ...]
    units: tuple[Unit, ...]

    def to(self, device: torch.device | str) -> Self:
        """Return a copy with every tensor on `device`."""
        return replace(self, inputs=self.inputs.to(device), targets=tuple(t.to(device) for t in self.targets))


def owners(groups: Sequence[Group], routes: Mapping[str, Route]) -> list[str]:
    """Return each group's decoder; beside poses, `[DET]` names the objects whose keypoints are asked for."""
    found = [routes[g.token].decoder for g in groups]
    if "pose" not in found:
        return found
    return ["pose" if g.token == "[DET]" else decoder for g, decoder in zip(groups, found, strict=True)]


def units(
    written: Written, routes: Mapping[str, Route], sentence_ends: Collection[int]
) -> list[tuple[str, list[Group]]]:
    """Gather the groups that are decoded together.

    Groups of one decoder belong together until a sentence ends or a group of another decoder comes between.

    Returns:
        The decoder and the groups of each unit, in order.
    """
    found: list[tuple[str, list[Group]]] = []
    for group, decoder in zip(written.groups, owners(written.groups, routes), strict=True):
        if found and found[-1][0] == decoder:
            between = written.ids[found[-1][1][-1].position + 1 : group.position]
            if not any(i in sentence_ends for i in between):
                found[-1][1].append(group)
                continue
        found.append((decoder, [group]))
    return found


def detection_targets(
    truth: DetectionTruth, spans: Sequence[int], size_hw: tuple[int, int], resized_hw: tuple[int, int]
) -> DetectionTargets:
    """Turn the part of the truth that belongs to one unit into tensors.

    Args:
        truth: Of the whole answer.
        spans: Number, among the routed spans of the answer, of each query group of the unit.
        size_hw: (height, width) of the original picture.
        resized_hw: (height, width) of its real pixels in the `ImageBatch`.

    Raises:
        ValueError: If the masks are not of the picture's size.
    """
    if truth.masks is not None and truth.masks.shape[1:] != size_hw:
        raise ValueError(f"expected masks of the picture's size {size_hw}, got {truth.masks.shape[1:]}")
    keep = np.isin(truth.class_ids, spans)
    group_of = {span: k for k, span in enumerate(spans)}
    height, width = size_hw
    corners = torch.from_numpy(truth.boxes[keep]).float() / torch.tensor([width, height, width, height])
    boxes = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
    masks = None if truth.masks is None else torch.from_numpy(resize_masks(truth.masks[keep], resized_hw))
    class_ids = torch.tensor([group_of[int(i)] for i in truth.class_ids[keep]], dtype=torch.long)
    return DetectionTargets(boxes=boxes, class_ids=class_ids, masks=masks)


def detection_truth(sample: Sample) -> DetectionTruth:
    """Return the detector's truth of a sample whose answer opens it.

    Raises:
        ValueError: If there is none, or it names a span that the answer lacks.
    """
    truth = sample.truth.get("detection")
    if truth is None:
        raise ValueError("expected truth for the detection decoder, which the answer opens, got none")
    routed = sum(isinstance(part, Routed) for part in sample.answer.parts)
    if len(truth.class_ids) and not 0 <= truth.class_ids.min() <= truth.class_ids.max() < routed:
        ids = sorted(set(truth.class_ids.tolist()))
        raise ValueError(f"expected class_ids that name one of {routed} routed spans, got {ids}")
    return truth
