"""The pose decoder's loss terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from visionllm.config.pose import PoseConfig
from visionllm.decoders.base.criterion import BoxTruths, GroundedCriterion, Pairs, join_boxes
from visionllm.decoders.base.outputs import BoxPrediction
from visionllm.decoders.pose.outputs import PoseOutputs, PosePrediction
from visionllm.ops.keypoints import keypoint_distance, object_keypoint_similarity, oks_loss
from visionllm.types.tensors import PoseTargets


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseTruths(BoxTruths):
    """The truths of a batch in one row; P is the most keypoints that a unit of the batch may have.

    Attributes:
        keypoints: float[G, P, 2]. (x, y); 0 where not visible.
        visible: bool[G, P].
        asked: bool[G, P]. True on the keypoints that were asked for.
        areas: float[G].
        sigmas: float[G, P]. 1 where nothing was asked for.
    """

    keypoints: Tensor
    visible: Tensor
    asked: Tensor
    areas: Tensor
    sigmas: Tensor

    @classmethod
    def of(cls, targets: Sequence[PoseTargets], keypoint_mask: Tensor) -> "PoseTruths":
        """Join the truths of all units; their keypoints are padded to the columns of the mask bool[U, P]."""
        joined = join_boxes(targets, keypoint_mask.device)
        total, columns = sum(joined.counts), keypoint_mask.shape[1]
        keypoints, sigmas = joined.boxes.new_zeros(total, columns, 2), joined.boxes.new_ones(total, columns)
        visible = torch.zeros(total, columns, dtype=torch.bool, device=keypoint_mask.device)
        for target, rows in zip(targets, torch.arange(total, device=visible.device).split(joined.counts), strict=True):
            named = len(target.sigmas)
            visible[rows, :named] = target.visible.bool()
            keypoints[rows, :named] = target.keypoints.float().masked_fill(~target.visible.bool().unsqueeze(-1), 0)
            sigmas[rows, :named] = target.sigmas.float()
        return cls(
            **vars(joined),
            keypoints=keypoints,
            visible=visible,
            asked=keypoint_mask[joined.units],
            areas=torch.cat([t.areas for t in targets]).float(),
            sigmas=sigmas,
        )


class PoseCriterion(GroundedCriterion[PoseConfig, PoseTruths]):
    """Matches predictions with truths and measures their distance.

    The terms are `class`, `box`, `giou`, `keypoints`, `oks` and, where keypoints have their own scores, `visible` of
    the last layer; of the earlier layers with `_0`, `_1`, …; of the encoder with `_encoder`; of the denoising queries
    with `_noisy` and `_noisy_0`, `_noisy_1`, …. Layers without keypoints have no terms of them.

    Source: UniPose, arXiv:2310.08530; SPEC C.5.
    """

    overlap_eps: ClassVar[float] = 1e-6

    def weights(self) -> dict[str, float]:
        """Return the weight of each kind of loss term."""
        config = self.config
        own = {"keypoints": config.keypoint_weight, "oks": config.oks_weight, "visible": config.visible_weight}
        return super().weights() | own

    def __call__(self, outputs: PoseOutputs, targets: Sequence[PoseTargets]) -> dict[str, Tensor]:
        """Return float[] scalars, unweighted.

        Args:
            outputs: What the decoder says about U units.
            targets: One a unit.
        """
        truths = PoseTruths.of(targets, outputs.keypoint_mask)
        terms: dict[str, Tensor] = {}

        def add(suffix: str, prediction: PosePrediction, pairs: Pairs, count: int) -> None:
            terms.update(self.box_terms(suffix, prediction, outputs.text_mask, truths, pairs, count))
            if prediction.keypoints is not None and len(truths.boxes):
                terms.update(self._keypoint_terms(suffix, prediction, prediction.keypoints, truths, pairs, count))

        self.walk(outputs, truths, add)
        return terms

    def _keypoint_terms(
        self, suffix: str, prediction: PosePrediction, keypoints: Tensor, truths: PoseTruths, pairs: Pairs, count: int
    ) -> dict[str, Tensor]:
        """Return the terms of keypoints of one prediction; each sum is divided by `count`."""
        found = keypoints[pairs.units, pairs.queries]
        wanted, visible = truths.keypoints[pairs.truths], truths.visible[pairs.truths]
        areas, sigmas = truths.areas[pairs.truths], truths.sigmas[pairs.truths]
        terms = {
            f"keypoints{suffix}": keypoint_distance(found, wanted, visible).sum() / count,
            f"oks{suffix}": oks_loss(found, wanted, visible, areas, sigmas).sum() / count,
        }
        if prediction.visible is not None:
            logits, asked = prediction.visible[pairs.units, pairs.queries].float(), truths.asked[pairs.truths]
            entropy = F.binary_cross_entropy_with_logits(logits, visible.float(), reduction="none") * asked
            terms[f"visible{suffix}"] = (entropy.sum(-1) / asked.sum(-1).clamp(min=1)).sum() / count
        return terms

    def costs(self, prediction: BoxPrediction, truths: PoseTruths) -> list[Tensor]:
        """Return float[N, n] of each unit: what it costs to call a query a truth."""
        costs = super().costs(prediction, truths)
        if not isinstance(prediction, PosePrediction) or prediction.keypoints is None:
            return costs
        config = self.config
        rows = torch.arange(len(truths.boxes), device=truths.units.device).split(truths.counts)
        for unit, (found, truth) in enumerate(zip(prediction.keypoints.detach(), rows, strict=True)):
            found, wanted, visible = found[:, None], truths.keypoints[truth], truths.visible[truth]
            distance = keypoint_distance(found, wanted, visible)
            alike = object_keypoint_similarity(found, wanted, visible, truths.areas[truth], truths.sigmas[truth])
            more = config.keypoint_cost * distance + config.oks_cost * (1 - alike.clamp(min=1e-6))
            costs[unit] = costs[unit] + more.cpu()
        return costs
