"""Phrases that single out one object, or fit none."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from visionllm.evaluation.base import EVERYTHING, Predictor, Question, Refer, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.overlaps import box_ious, mask_overlap
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Detections, DetectionTruth

NOTHING = "refer-nothing"
_TOKEN = "[GRD]"


class _Sheet:
    """The scores of one mode: tallies by family."""

    def __init__(self, pictures: int) -> None:
        self.families = {
            name: {score: Tally(pictures) for score in ("p50", "ciou", "miou")}
            for name in families_of("refer")
            if name != NOTHING
        }
        self.refusal = Tally(pictures)
        self._generalised = Tally(pictures)

    def add(self, asked: Asked, found: Detections, *, refused: bool) -> None:
        """Judge the best instance, or whether a phrase was refused that fits nothing."""
        picture = asked.picture
        if asked.truth is None:
            self.refusal.add(picture, refused)
            self._generalised.add(picture, refused)
            return
        tallies, (inside, union) = self.families[asked.sample.family], _mask_overlap(found, asked.masks[0])
        tallies["p50"].add(picture, _box_overlap(found, asked.truth) >= 0.5)
        tallies["ciou"].add(picture, inside, union)
        tallies["miou"].add(picture, inside / union)
        self._generalised.add(picture, inside / union)

    def together(self) -> dict[str, Statistic]:
        """Return the means over the families with a target, and what refusals give."""
        means: dict[str, Statistic] = {
            score: mean_of([tallies[score] for tallies in self.families.values()]) for score in ("p50", "ciou", "miou")
        }
        return {**means, "giou": self._generalised, "refusal": self.refusal}


def _box_overlap(found: Detections, truth: DetectionTruth) -> float:
    """Return the IoU of the best-scored box with the true one, 0 if there is none."""
    return float(box_ious(found.boxes[_best(found)], truth.boxes)[0, 0]) if len(found) else 0.0


def _mask_overlap(found: Detections, truth: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many pixels the best-scored mask shares with the true one, and how many are in either."""
    if not len(found) or found.masks is None:
        return 0, int(truth.sum())
    return mask_overlap(found.masks[_best(found)][0], truth)


def _best(found: Detections) -> NDArray[np.int64]:
    return np.array([np.argmax(found.scores)])


class ReferBenchmark(WorldBenchmark):
    """P@.5, cIoU, gIoU and the refusal of phrases that fit nothing.

    Both modes hear the same phrases: a question in free mode, the phrase alone in known-class mode. A phrase is refused
    in free mode if the answer doesn't route to `[GRD]`, and in known-class mode if nothing reaches the threshold;
    refusing a phrase that fits something is a miss. `refer` holds the means over the families with a target; its gIoU
    is generalised: a phrase that fits nothing counts 1 if refused and 0 otherwise.

    Source: GRES, arXiv:2306.00968 (gIoU, cIoU).
    """

    name: ClassVar[str] = "world_refer"
    group: ClassVar[str] = "refer"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        modes = [mode for mode, judged in (("known", setting.known), ("free", setting.free)) if judged]
        self._sheets = {mode: _Sheet(setting.limit) for mode in modes}

    def requests(self) -> Iterator[Question]:
        """Yield every phrase in both modes."""
        families = families_of("refer")
        known = map(self._known, families) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, families if self.setting.free else ())))

    def _known(self, family: str) -> Iterator[Question]:
        for index, sample in self.setting.samples(family, plain=True):
            asked = Asked(picture=index, sample=sample, known=True)
            call = Refer(self.setting.image(index), sample.request.messages[-1].text, sample.request.options)
            yield Question(picture=index, sort=f"known {family}", call=call, truth=asked)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge what was found."""
        if truth.known:
            self._sheets["known"].add(truth, result, refused=len(result) == 0)
        else:
            found = truth.found_in(result)
            routed = np.array([route == _TOKEN for route in found.routes], dtype=bool)
            self._sheets["free"].add(truth, found.select(routed[found.class_ids]), refused=_TOKEN not in found.routes)

    def compute(self) -> Scores:
        """Return the means under `refer`, then P@.5, cIoU and mean IoU by family."""
        statistics: dict[str, dict[str, Statistic]] = {}
        for mode, sheet in self._sheets.items():
            families: Mapping[str, Mapping[str, Statistic]] = {"refer": sheet.together(), **sheet.families}
            for family, some in families.items():
                statistics.setdefault(family, {}).update({f"{name}_{mode}": s for name, s in some.items()})
        return scored(self.setting, statistics)


def choose_threshold(model: Predictor, *, pictures: int = 200, seed: int = 0) -> float:
    """Return the threshold of known-class `refer` that suits the validation split best.

    It maximises the mean of P@.5 (over phrases that fit something) and the refusal rate (over those that fit nothing).

    Args:
        model: The predictor.
        pictures: Pictures a family.
        seed: Seed of the pictures.

    Raises:
        ValueError: If a number is out of its range.
    """
    setting = WorldSetting(split="validation", seed=seed, pictures=pictures, mode="known", draws=0)
    hits: list[float] = []
    misses: list[float] = []
    wrong: list[float] = []
    for family in families_of("refer"):
        for index, sample in setting.samples(family, plain=True):
            asked = Asked(picture=index, sample=sample)
            found = model.refer(setting.image(index), sample.request.messages[-1].text, options=EVERYTHING)
            score = float(found.scores.max()) if len(found) else 0.0
            if asked.truth is None:
                wrong.append(score)
            else:
                (hits if _box_overlap(found, asked.truth) >= 0.5 else misses).append(score)
    candidates = np.unique([0.0, *hits, *misses, *np.nextafter(wrong, 1.0)])
    right = np.array([np.mean(np.array([*hits, *[-1.0] * len(misses)]) >= c) for c in candidates])
    refused = np.array([np.mean(np.array(wrong) < c) for c in candidates])
    return float(candidates[np.argmax(right + refused)])
