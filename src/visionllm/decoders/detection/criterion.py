"""The detector's loss terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.config.detection import DetectionConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.detection.outputs import DetectionOutputs, Prediction
from visionllm.ops.boxes import generalised_iou, to_corners
from visionllm.ops.draws import Draws
from visionllm.ops.losses import dice_loss, focal_loss, mask_loss
from visionllm.ops.masks import sample_masks, sample_points, uncertain_points
from visionllm.ops.matching import assign, box_costs, class_cost
from visionllm.types.tensors import DetectionTargets

IMPOSSIBLE = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Truths:
    """The truths of a batch in one row.

    Attributes:
        boxes: float[G, 4]. (cx, cy, w, h).
        class_ids: int[G].
        units: int[G]. Unit of each truth.
        counts: Number of truths of each unit.
        masks: bool[G, H, W], False outside of the picture, or None if no unit has masks.
        masked: bool[G]. True on truths that have a mask.
    """

    boxes: Tensor
    class_ids: Tensor
    units: Tensor
    counts: tuple[int, ...]
    masks: Tensor | None
    masked: Tensor

    @classmethod
    def of(cls, targets: Sequence[DetectionTargets], outputs: DetectionOutputs) -> "Truths":
        """Join the truths of all units; masks are padded to the canvas of the mask features."""
        device = outputs.boxes.device
        counts = tuple(len(t.boxes) for t in targets)
        units = torch.repeat_interleave(
            torch.arange(len(counts), device=device), torch.tensor(counts, dtype=torch.long, device=device)
        )
        has_masks = [t.masks is not None for t in targets]
        masks = None
        if any(has_masks) and sum(counts):
            h, w = (side * outputs.stride for side in outputs.mask_features.shape[2:])
            masks = torch.zeros(sum(counts), h, w, dtype=torch.bool, device=device)
            for target, rows in zip(targets, torch.arange(sum(counts), device=device).split(counts), strict=True):
                if target.masks is not None:
                    masks[rows, : target.masks.shape[1], : target.masks.shape[2]] = target.masks
        return cls(
            boxes=torch.cat([t.boxes for t in targets]).float(),
            class_ids=torch.cat([t.class_ids for t in targets]),
            units=units,
            counts=counts,
            masks=masks,
            masked=torch.tensor(has_masks, device=device)[units],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Which query should be which truth.

    Attributes:
        units: int[P]. Unit of each pair.
        queries: int[P]. Query in the unit.
        truths: int[P]. Truth in the batch.
    """

    units: Tensor
    queries: Tensor
    truths: Tensor


class DetectionCriterion:
    """Matches predictions with truths and measures their distance.

    The terms are `class`, `box`, `giou`, `mask` and `dice` of the last layer; of the earlier layers with `_0`, `_1`, …;
    of the encoder with `_encoder`; of the denoising queries with `_noisy` and `_noisy_0`, `_noisy_1`, …; and `tokens`.

    Source: DINO, arXiv:2203.03605; Mask2Former, arXiv:2112.01527, section 3.3 (mask points).
    """

    def __init__(self, config: DetectionConfig, quirks: Quirks) -> None:
        self.config = config
        self.quirks = quirks

    def weight(self, name: str) -> float:
        """Return the weight of a loss term."""
        config = self.config
        weights = {
            "class": config.class_weight,
            "box": config.box_weight,
            "giou": config.giou_weight,
            "mask": config.mask_weight,
            "dice": config.dice_weight,
            "tokens": config.token_loss_weight,
        }
        return weights[name.split("_")[0]]

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
        count = max(1, len(truths.boxes))
        terms: dict[str, Tensor] = {}
        earlier = [(f"_{i}", p) for i, p in enumerate(outputs.layers[:-1])]
        for suffix, prediction in (("", outputs.layers[-1]), *earlier):
            self._add(terms, suffix, prediction, outputs, truths, self.match(prediction, truths), count, draws)
        repeat = max(1, self.config.one_to_many)
        pairs = self.match(outputs.encoder, truths, repeat)
        self._add(terms, "_encoder", outputs.encoder, outputs, truths, pairs, count * repeat, draws)
        if outputs.noise is not None:
            pairs = Pairs(**dict(zip(("units", "queries", "truths"), outputs.noise.pairs(), strict=True)))
            earlier = [(f"_noisy_{i}", p) for i, p in enumerate(outputs.noisy[:-1])]
            for suffix, prediction in (("_noisy", outputs.noisy[-1]), *earlier):
                self._add(terms, suffix, prediction, outputs, truths, pairs, count * outputs.noise.groups, draws)
        if self.config.token_loss_weight:
            terms["tokens"] = self._token_loss(outputs, targets)
        return terms

    @torch.no_grad()
    def match(self, prediction: Prediction, truths: Truths, repeat: int = 1) -> Pairs:
        """Pair queries with truths at the least cost, unit by unit; each truth `repeat` times at most."""
        units, queries, found = [], [], []
        start = 0
        for unit, (cost, count) in enumerate(zip(self.costs(prediction, truths), truths.counts, strict=True)):
            if count:
                times = max(1, min(repeat, len(cost) // count))
                rows, columns = assign(cost.repeat(1, times).cpu())
                real = prediction.valid[unit].cpu()[rows]
                rows, columns = rows[real], columns[real]
                units.append(torch.full_like(rows, unit))
                queries.append(rows)
                found.append(columns % count + start)
            start += count
        empty = [torch.zeros(0, dtype=torch.long)]
        device = prediction.boxes.device
        return Pairs(
            units=torch.cat(units or empty).to(device),
            queries=torch.cat(queries or empty).to(device),
            truths=torch.cat(found or empty).to(device),
        )

    def costs(self, prediction: Prediction, truths: Truths) -> list[Tensor]:
        """Return float[N, n] of each unit: what it costs to call a query a truth."""
        config = self.config
        padded = len(truths.counts), max([1, *truths.counts])
        boxes = truths.boxes.new_zeros(*padded, 4)
        class_ids = truths.class_ids.new_zeros(padded)
        slots = torch.cat([torch.arange(n, device=truths.units.device) for n in truths.counts])
        boxes[truths.units, slots] = truths.boxes
        class_ids[truths.units, slots] = truths.class_ids
        distance, overlap = box_costs(prediction.boxes.detach(), boxes)
        kind = class_cost(
            prediction.logits.detach().float(), class_ids, alpha=config.focal_alpha, gamma=config.focal_gamma
        )
        total = config.class_cost * kind + config.box_cost * distance + config.giou_cost * overlap
        total = total.masked_fill(~prediction.valid.unsqueeze(-1), IMPOSSIBLE).cpu()
        return [rows[:, :count] for rows, count in zip(total, truths.counts, strict=True)]

    def _add(
        self,
        terms: dict[str, Tensor],
        suffix: str,
        prediction: Prediction,
        outputs: DetectionOutputs,
        truths: Truths,
        pairs: Pairs,
        count: int,
        draws: Draws,
    ) -> None:
        """Add the loss terms of one prediction; each sum is divided by `count`."""
        if len(truths.boxes) or not self.quirks.no_negatives_without_truth:
            terms[f"class{suffix}"] = self._class_loss(prediction, outputs.text_mask, truths, pairs) / count
        if not len(truths.boxes):
            return
        boxes, true_boxes = prediction.boxes[pairs.units, pairs.queries], truths.boxes[pairs.truths]
        terms[f"box{suffix}"] = (boxes - true_boxes).abs().sum() / count
        overlap = generalised_iou(to_corners(boxes), to_corners(true_boxes), eps=1e-7)
        terms[f"giou{suffix}"] = (1 - overlap).sum() / count
        if truths.masks is None:
            return
        masked = truths.masked[pairs.truths]
        pairs = Pairs(units=pairs.units[masked], queries=pairs.queries[masked], truths=pairs.truths[masked])
        logits = self._mask_logits(prediction, outputs, pairs)
        extent = torch.tensor(outputs.mask_features.shape[:1:-1], device=logits.device)
        canvas = outputs.pixels_hw[pairs.units].flip(1) / extent
        with torch.no_grad():
            points = self.points(logits, canvas, draws)
            wanted = sample_masks(truths.masks, pairs.truths, points)
        at_points = sample_points(logits, points).squeeze(1)
        terms[f"mask{suffix}"] = mask_loss(at_points, wanted).sum() / count
        terms[f"dice{suffix}"] = dice_loss(at_points, wanted).sum() / count

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

    def _class_loss(self, prediction: Prediction, text_mask: Tensor, truths: Truths, pairs: Pairs) -> Tensor:
        """Return the focal loss, summed over all real queries and query groups."""
        real = text_mask[:, None] & prediction.valid[:, :, None]
        wanted = torch.zeros_like(prediction.logits, dtype=torch.float32)
        wanted[pairs.units, pairs.queries, truths.class_ids[pairs.truths]] = 1
        return self._focal(prediction.logits, wanted, real)

    def _focal(self, logits: Tensor, wanted: Tensor, real: Tensor) -> Tensor:
        """Return the focal loss, summed over the real elements."""
        config = self.config
        loss = focal_loss(
            logits.float().masked_fill(~real, 0), wanted, alpha=config.focal_alpha, gamma=config.focal_gamma
        )
        return (loss * real).sum()

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
