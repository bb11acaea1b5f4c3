"""The detector's loss terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.config.detection import DetectionConfig
from visionllm.decoders.base.criterion import BoxTruths, GroundedCriterion, Pairs, join_boxes
from visionllm.decoders.detection.outputs import DetectionOutputs, Prediction
from visionllm.ops.boxes import to_corners
from visionllm.ops.draws import Draws
from visionllm.ops.losses import dice_loss, mask_loss
from visionllm.ops.masks import sample_masks, sample_points, uncertain_points
from visionllm.types.tensors import DetectionTargets


@dataclass(frozen=True, kw_only=True, eq=False)
class Truths(BoxTruths):
    """The truths of a batch in one row.

    Attributes:
        masks: bool[G, H, W], False outside of the picture, or None if no unit has masks.
        masked: bool[G]. True on truths that have a mask.
    """

    masks: Tensor | None
    masked: Tensor

    @classmethod
    def of(cls, targets: Sequence[DetectionTargets], outputs: DetectionOutputs) -> "Truths":
        """Join the truths of all units; masks are padded to the canvas of the mask features."""
        device = outputs.boxes.device
        joined = join_boxes(targets, device)
        total = sum(joined.counts)
        has_masks = [t.masks is not None for t in targets]
        masks = None
        if any(has_masks) and total:
            h, w = (side * outputs.stride for side in outputs.mask_features.shape[2:])
            masks = torch.zeros(total, h, w, dtype=torch.bool, device=device)
            for target, rows in zip(targets, torch.arange(total, device=device).split(joined.counts), strict=True):
                if target.masks is not None:
                    masks[rows, : target.masks.shape[1], : target.masks.shape[2]] = target.masks
        return cls(**vars(joined), masks=masks, masked=torch.tensor(has_masks, device=device)[joined.units])


class DetectionCriterion(GroundedCriterion[DetectionConfig, Truths]):
    """Matches predictions with truths and measures their distance.

    The terms are `class`, `box`, `giou`, `mask` and `dice` of the last layer; of the earlier layers with `_0`, `_1`, …;
    of the encoder with `_encoder`; of the denoising queries with `_noisy` and `_noisy_0`, `_noisy_1`, …; and `tokens`.

    Source: DINO, arXiv:2203.03605; Mask2Former, arXiv:2112.01527, section 3.3 (mask points).
    """

    def weights(self) -> dict[str, float]:
        """Return the weight of each kind of loss term."""
        config = self.config
        masks = {"mask": config.mask_weight, "dice": config.dice_weight, "tokens": config.token_loss_weight}
        return super().weights() | masks

    def __call__(
        self, outputs: DetectionOutputs, targets: Sequence[DetectionTargets], draws: Draws
    ) -> dict[str, Tensor]:
        """Return float[] scalars, unweighted.

        Args:
            outputs: What the detector says about U units.
            targets: One a unit.
            draws: The mask points' random numbers; two a prediction, in the order last layer, earlier layers, encoder,
                denoising queries' last layer, their earlier layers.
        """
        truths = Truths.of(targets, outputs)
        terms: dict[str, Tensor] = {}

        def add(suffix: str, prediction: Prediction, pairs: Pairs, count: int) -> None:
            terms.update(self.box_terms(suffix, prediction, outputs.text_mask, truths, pairs, count))
            if truths.masks is not None:
                terms.update(self._mask_terms(suffix, prediction, outputs, truths, truths.masks, pairs, count, draws))

        self.walk(outputs, truths, add)
        if self.config.token_loss_weight:
            terms["tokens"] = self._token_loss(outputs, targets)
        return terms

    def _mask_terms(
        self,
        suffix: str,
        prediction: Prediction,
        outputs: DetectionOutputs,
        truths: Truths,
        masks: Tensor,
        pairs: Pairs,
        count: int,
        draws: Draws,
    ) -> dict[str, Tensor]:
        """Return the mask terms of one prediction; each sum is divided by `count`."""
        masked = truths.masked[pairs.truths]
        pairs = Pairs(units=pairs.units[masked], queries=pairs.queries[masked], truths=pairs.truths[masked])
        logits = self._mask_logits(prediction, outputs, pairs)
        extent = torch.tensor(outputs.mask_features.shape[:1:-1], device=logits.device)
        canvas = outputs.pixels_hw[pairs.units].flip(1) / extent
        with torch.no_grad():
            points = self.points(logits, canvas, draws)
            wanted = sample_masks(masks, pairs.truths, points)
        at_points = sample_points(logits, points).squeeze(1)
        return {
            f"mask{suffix}": mask_loss(at_points, wanted).sum() / count,
            f"dice{suffix}": dice_loss(at_points, wanted).sum() / count,
        }

    @staticmethod
    def _mask_logits(prediction: Prediction, outputs: DetectionOutputs, pairs: Pairs) -> Tensor:
        """Return float[n, 1, h, w], the mask logits of each pair, without a copy of the features for each of them."""
        counts = torch.bincount(pairs.units, minlength=len(outputs.mask_features))
        order = pairs.units.argsort(stable=True)
        slots = torch.empty_like(order)
        slots[order] = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[pairs.units[order]]
        width = prediction.masks.shape[-1]
        masks = prediction.masks.new_zeros(len(counts), int(counts.max()), width)
        masks = masks.index_put((pairs.units, slots), prediction.masks[pairs.units, pairs.queries])
        logits = (masks @ outputs.mask_features.flatten(2)).float()
        return logits[pairs.units, slots].unflatten(1, (1, *outputs.mask_features.shape[2:]))

    def points(self, logits: Tensor, canvas: Tensor, draws: Draws) -> Tensor:
        """Return float[n, P, 2], the points of the mask losses: the uncertain ones, then the uniform ones."""
        total = self.config.mask_points
        uncertain = int(self.config.mask_importance * total)
        n, device = len(logits), logits.device
        candidates = draws.uniform((n, int(total * self.config.mask_oversample), 2), device) * canvas[:, None]
        uniform = draws.uniform((n, total - uncertain, 2), device) * canvas[:, None]
        return torch.cat([uncertain_points(logits, candidates, uncertain), uniform], dim=1)

    def _token_loss(self, outputs: DetectionOutputs, targets: Sequence[DetectionTargets]) -> Tensor:
        """Return the focal loss of all encoder tokens: each should name the groups whose truth covers its centre."""
        tokens = outputs.tokens
        wanted = torch.zeros_like(tokens.logits, dtype=torch.float32)
        for unit, target in enumerate(targets):
            if len(target.boxes):
                covered = _covers(target, tokens.centres[unit]).to(wanted.dtype)
                wanted[unit].index_add_(1, target.class_ids, covered.T)
        real = tokens.mask[:, :, None] & outputs.text_mask[:, None]
        wanted = wanted.clamp(max=1) * real
        return self._focal(tokens.logits, wanted, real) / wanted.sum().clamp(min=1)


def _covers(target: DetectionTargets, points: Tensor) -> Tensor:
    """Return bool[n, S], which truths cover which points float[S, 2]; by mask, or by box where there are no masks."""
    if target.masks is None:
        low, high = to_corners(target.boxes)[:, None].chunk(2, dim=-1)
        return ((points >= low) & (points < high)).all(-1)
    h, w = target.masks.shape[1:]
    column, row = ((points * torch.tensor([w, h], device=points.device)).long()).unbind(-1)
    inside = (column < w) & (row < h)
    return target.masks[:, row.clamp(max=h - 1), column.clamp(max=w - 1)].bool() & inside
