"""Matching of predictions with truths, and the loss terms of classes and boxes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from visionllm.config.grounding import GroundingConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.outputs import BoxPrediction, GroundedOutputs
from visionllm.ops.boxes import generalised_iou, to_corners
from visionllm.ops.losses import focal_loss
from visionllm.ops.matching import assign, box_costs, class_cost
from visionllm.types.tensors import BoxTargets

IMPOSSIBLE = 1e6

ConfigT = TypeVar("ConfigT", bound=GroundingConfig)
PredictionT = TypeVar("PredictionT", bound=BoxPrediction)


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxTruths:
    """The truths of a batch in one row.

    Attributes:
        boxes: float[G, 4]. (cx, cy, w, h).
        class_ids: int[G].
        units: int[G]. Unit of each truth.
        counts: Number of truths of each unit.
    """

    boxes: Tensor
    class_ids: Tensor
    units: Tensor
    counts: tuple[int, ...]


def join_boxes(targets: Sequence[BoxTargets], device: torch.device) -> BoxTruths:
    """Join the truths of all units."""
    counts = tuple(len(t.boxes) for t in targets)
    units = torch.repeat_interleave(
        torch.arange(len(counts), device=device), torch.tensor(counts, dtype=torch.long, device=device)
    )
    return BoxTruths(
        boxes=torch.cat([t.boxes for t in targets]).float(),
        class_ids=torch.cat([t.class_ids for t in targets]),
        units=units,
        counts=counts,
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


TruthsT = TypeVar("TruthsT", bound=BoxTruths)


class GroundedCriterion(Generic[ConfigT, TruthsT]):
    """Matches predictions with truths and measures the distance of classes and boxes.

    Source: DINO, arXiv:2203.03605.
    """

    overlap_eps: ClassVar[float] = 1e-7

    def __init__(self, config: ConfigT, quirks: Quirks) -> None:
        self.config = config
        self.quirks = quirks

    def weight(self, name: str) -> float:
        """Return the weight of a loss term."""
        return self.weights()[name.split("_")[0]]

    def weights(self) -> dict[str, float]:
        """Return the weight of each kind of loss term."""
        config = self.config
        return {"class": config.class_weight, "box": config.box_weight, "giou": config.giou_weight}

    def walk(
        self,
        outputs: GroundedOutputs[PredictionT],
        truths: TruthsT,
        add: Callable[[str, PredictionT, Pairs, int], None],
    ) -> None:
        """Call `add` for the last layer, the earlier layers, the encoder, and the denoising queries likewise.

        Args:
            outputs: What the decoder says about U units.
            truths: What it should say.
            add: Takes the suffix of the prediction's terms, the prediction, its pairs, and what sums are divided by.
        """
        count = max(1, len(truths.boxes))
        earlier = [(f"_{i}", p) for i, p in enumerate(outputs.layers[:-1])]
        for suffix, prediction in (("", outputs.layers[-1]), *earlier):
            add(suffix, prediction, self.match(prediction, truths), count)
        repeat = max(1, self.config.one_to_many)
        add("_encoder", outputs.encoder, self.match(outputs.encoder, truths, repeat), count * repeat)
        if outputs.noise is not None:
            pairs = Pairs(**dict(zip(("units", "queries", "truths"), outputs.noise.pairs(), strict=True)))
            earlier = [(f"_noisy_{i}", p) for i, p in enumerate(outputs.noisy[:-1])]
            for suffix, prediction in (("_noisy", outputs.noisy[-1]), *earlier):
                add(suffix, prediction, pairs, count * outputs.noise.groups)

    @torch.no_grad()
    def match(self, prediction: BoxPrediction, truths: TruthsT, repeat: int = 1) -> Pairs:
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

    def costs(self, prediction: BoxPrediction, truths: TruthsT) -> list[Tensor]:
        """Return float[N, n] of each unit: what it costs to call a query a truth."""
        config = self.config
        padded = len(truths.counts), max([1, *truths.counts])
        boxes = truths.boxes.new_zeros(*padded, 4)
        class_ids = truths.class_ids.new_zeros(padded)
        slots = torch.cat([torch.arange(n, device=truths.units.device) for n in truths.counts])
        boxes[truths.units, slots] = truths.boxes
        class_ids[truths.units, slots] = truths.class_ids
        distance, overlap = box_costs(prediction.boxes.detach(), boxes, eps=self.overlap_eps)
        kind = class_cost(
            prediction.logits.detach().float(), class_ids, alpha=config.focal_alpha, gamma=config.focal_gamma
        )
        total = config.class_cost * kind + config.box_cost * distance + config.giou_cost * overlap
        total = total.masked_fill(~prediction.valid.unsqueeze(-1), IMPOSSIBLE).cpu()
        return [rows[:, :count] for rows, count in zip(total, truths.counts, strict=True)]

    def box_terms(
        self, suffix: str, prediction: BoxPrediction, text_mask: Tensor, truths: TruthsT, pairs: Pairs, count: int
    ) -> dict[str, Tensor]:
        """Return the terms of classes and boxes of one prediction; each sum is divided by `count`."""
        terms: dict[str, Tensor] = {}
        if len(truths.boxes) or not self.quirks.no_negatives_without_truth:
            terms[f"class{suffix}"] = self._class_loss(prediction, text_mask, truths, pairs) / count
        if len(truths.boxes):
            boxes, true_boxes = prediction.boxes[pairs.units, pairs.queries], truths.boxes[pairs.truths]
            terms[f"box{suffix}"] = (boxes - true_boxes).abs().sum() / count
            overlap = generalised_iou(to_corners(boxes), to_corners(true_boxes), eps=self.overlap_eps)
            terms[f"giou{suffix}"] = (1 - overlap).sum() / count
        return terms

    def _class_loss(self, prediction: BoxPrediction, text_mask: Tensor, truths: TruthsT, pairs: Pairs) -> Tensor:
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
