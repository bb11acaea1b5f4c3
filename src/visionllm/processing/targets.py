"""Truth → decoder targets, one value a unit: the query groups that are decoded together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from visionllm.processing.chat import Group, Written
from visionllm.processing.decoder_images import resize_masks, resize_picture
from visionllm.types import DetectionTruth, PictureTruth, PoseTruth, Routed, Sample
from visionllm.types.tensors import Batch, DetectionTargets, ModelInputs, PictureTargets, PoseTargets, Route

Targets = DetectionTargets | PoseTargets | PictureTargets
SpannedT = TypeVar("SpannedT", DetectionTruth, PoseTruth)
TruthT = TypeVar("TruthT", DetectionTruth, PoseTruth, PictureTruth)


class Unit(NamedTuple):
    """Where a unit is: its row, its turn, the index in the row of its first group's routing token, and its decoder."""

    row: int
    turn: int
    position: int
    decoder: str = "detection"


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainBatch(Batch):
    """A batch to learn from.

    Attributes:
        inputs: Padded on the right; `labels` are the ids to be learned at their own places, not shifted.
        targets: What its decoder should find or make for each unit of an answer, in the order of rows and tokens. Units
            of earlier assistant messages have none.
        units: Where each target belongs.
    """

    inputs: ModelInputs
    targets: tuple[Targets, ...]
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

    Groups of one decoder belong together until a sentence ends or a group of another decoder comes between; objects
    and the keypoints asked of them may stand in several sentences, until the next objects.

    Returns:
        The decoder and the groups of each unit, in order.
    """
    found: list[tuple[str, list[Group]]] = []
    for group, decoder in zip(written.groups, owners(written.groups, routes), strict=True):
        if found and found[-1][0] == decoder:
            last = found[-1][1][-1]
            ended = any(i in sentence_ends for i in written.ids[last.position + 1 : group.position])
            asks_on = decoder == "pose" and (last.token, group.token) != ("[POSE]", "[DET]")
            if asks_on or not ended:
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
    keep, class_ids, boxes = _boxes(truth, spans, size_hw)
    masks = None if truth.masks is None else torch.from_numpy(resize_masks(truth.masks[keep], resized_hw))
    return DetectionTargets(boxes=boxes, class_ids=class_ids, masks=masks)


def pose_targets(
    truth: PoseTruth, objects: Sequence[int], keypoints: Sequence[int], size_hw: tuple[int, int]
) -> PoseTargets:
    """Turn the part of the truth that belongs to one unit into tensors.

    Args:
        truth: Of the whole answer.
        objects: Number, among the routed spans of the answer, of each query group of the unit that names objects.
        keypoints: Number, among the `[POSE]` spans of the answer, of each of the unit's.
        size_hw: (height, width) of the original picture.

    Raises:
        ValueError: If the truth has another number of keypoints than the answer.
    """
    if max(keypoints) >= len(truth.sigmas):
        raise ValueError(
            f"expected truth for {max(keypoints) + 1} keypoints, one per [POSE] of the answer, got {len(truth.sigmas)}"
        )
    keep, class_ids, boxes = _boxes(truth, objects, size_hw)
    size = torch.tensor([size_hw[1], size_hw[0]])
    areas = boxes[:, 2:].prod(1)
    if truth.areas is not None:
        areas = torch.from_numpy(truth.areas[keep]).float() / size.prod()
    return PoseTargets(
        boxes=boxes,
        class_ids=class_ids,
        keypoints=torch.from_numpy(truth.keypoints[keep][:, keypoints]).float() / size,
        visible=torch.from_numpy(truth.visibility[keep][:, keypoints] > 0),
        areas=areas,
        sigmas=torch.from_numpy(truth.sigmas[list(keypoints)]).float(),
    )


def picture_targets(truth: PictureTruth, size_hw: tuple[int, int]) -> PictureTargets:
    """Turn the picture that should be made into a tensor, resized to (height, width)."""
    image = resize_picture(Image.fromarray(truth.pixels), size_hw, antialias=True)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    return PictureTargets(pictures=(pixels / 127.5 - 1)[None])


def _boxes(
    truth: DetectionTruth | PoseTruth, spans: Sequence[int], size_hw: tuple[int, int]
) -> tuple[NDArray[np.bool_], Tensor, Tensor]:
    """Return which objects of the truth belong to some spans, the index of each one's span, and relative boxes."""
    keep = np.isin(truth.class_ids, spans)
    group_of = {span: k for k, span in enumerate(spans)}
    height, width = size_hw
    corners = torch.from_numpy(truth.boxes[keep]).float() / torch.tensor([width, height, width, height])
    boxes = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
    return keep, torch.tensor([group_of[int(i)] for i in truth.class_ids[keep]], dtype=torch.long), boxes


def detection_truth(sample: Sample) -> DetectionTruth:
    """Return the detector's truth of a sample whose answer opens it.

    Raises:
        ValueError: If there is none, or it names a span that the answer lacks.
    """
    return _with_spans(sample, _truth_of(sample, "detection", DetectionTruth))


def pose_truth(sample: Sample) -> PoseTruth:
    """Return the pose decoder's truth of a sample whose answer opens it.

    Raises:
        ValueError: As `detection_truth`.
    """
    return _with_spans(sample, _truth_of(sample, "pose", PoseTruth))


def picture_truth(sample: Sample, decoder: str, groups: int) -> PictureTruth:
    """Return the truth of a sample whose answer opens a decoder that makes pictures.

    Args:
        sample: One question with its answer.
        decoder: Name of the decoder.
        groups: Query groups of this decoder in the answer.

    Raises:
        ValueError: If there is no such truth, or the answer asks for several pictures.
    """
    truth = _truth_of(sample, decoder, PictureTruth)
    if groups != 1:
        raise ValueError(
            f"expected one routing token for the {decoder} decoder in an answer with the truth of one picture, "
            f"got {groups}; ask for each picture in a sample of its own"
        )
    return truth


def _truth_of(sample: Sample, decoder: str, kind: type[TruthT]) -> TruthT:
    truth = sample.truth.get(decoder)
    if truth is None:
        raise ValueError(f"expected truth for the {decoder} decoder, which the answer opens, got none")
    if not isinstance(truth, kind):
        raise ValueError(f"expected a {kind.__name__} for the {decoder} decoder, got a {type(truth).__name__}")
    return truth


def _with_spans(sample: Sample, truth: SpannedT) -> SpannedT:
    """Return the truth if it names spans of the answer only."""
    routed = sum(isinstance(part, Routed) for part in sample.answer.parts)
    if len(truth.class_ids) and not 0 <= truth.class_ids.min() <= truth.class_ids.max() < routed:
        ids = sorted(set(truth.class_ids.tolist()))
        raise ValueError(f"expected class_ids that name one of {routed} routed spans, got {ids}")
    return truth
