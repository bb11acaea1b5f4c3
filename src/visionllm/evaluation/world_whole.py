"""Masks of whole sorts: semantic maps, the object that catches the eye, and the one that hides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.figures import FIGURES
from visionllm.data.world.scene import KINDS
from visionllm.evaluation.base import Detect, Question, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.labelled import labels_of
from visionllm.evaluation.saliency import e_measure, mean_absolute_error, s_measure, weighted_f
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, scored
from visionllm.types import Detections

CLASSES = (*KINDS, *FIGURES, "sign")
"""Everything that a picture of version 2 may show."""
SEMANTIC = "segment-semantic"
SALIENT = {"segment-salient": "salient object", "segment-camouflaged": "camouflaged object"}
_MEASURES = {"s_measure": s_measure, "weighted_f": weighted_f, "e_measure": e_measure, "mae": mean_absolute_error}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Map:
    """What a map of all classes should show: `classes` is int64[H, W], −1 where there is none."""

    picture: int
    classes: NDArray[np.int64]


class WholeBenchmark(WorldBenchmark):
    """Mean IoU of semantic maps; S-measure, weighted F, E-measure and MAE of salient and camouflaged objects.

    **A set of instances becomes one semantic map** by giving each pixel the class of the best-scored instance that
    covers it; pixels that none covers have no class. IoU is counted over all pictures class by class; the mean is over
    the classes that are there or were found, without the ground. Known classes: all 25 kinds listed, with instances
    from the threshold on, as the map is what a user would see. Free: the classes that the question names.

    **One salient mask**: a pixel is as salient as the best-scored instance that covers it, relative to the best score
    in the picture, as the maps of the field are stretched to [0, 1] before they are measured. Whatever is found counts,
    in known classes with every score kept. Where there is no such object, finding nothing is a refusal, scored apart
    and, as it depends on a threshold, for free answers alone.
    """

    name: ClassVar[str] = "world_whole"
    group: ClassVar[str] = "whole"
    version: ClassVar[int] = 2

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._modes = [mode for mode, judged in (("known", setting.known), ("free", setting.free)) if judged]
        self._overlaps = {mode: [Tally(setting.limit) for _ in CLASSES] for mode in self._modes}
        self._measures = {
            (family, mode): {name: Tally(setting.limit) for name in _MEASURES}
            for family in SALIENT
            for mode in self._modes
        }
        self._refusals = {family: Tally(setting.limit) for family in SALIENT}

    def requests(self) -> Iterator[Question]:
        """Yield every question in both modes."""
        known = (self._maps(), *map(self._objects, SALIENT)) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, (SEMANTIC, *SALIENT) if self.setting.free else ())))

    def _maps(self) -> Iterator[Question]:
        for index in self.setting.asked_about(SEMANTIC):
            scene = self.setting.picture(index, "mixed").scene
            classes = np.full(scene.size_hw, -1, dtype=np.int64)
            for thing in scene.things:
                classes[thing.mask] = CLASSES.index(thing.kind)
            call = Detect(self.setting.image(index, "mixed"), CLASSES, masks=True, options=self.setting.options)
            yield Question(picture=index, sort="map", call=call, truth=_Map(picture=index, classes=classes))

    def _objects(self, family: str) -> Iterator[Question]:
        for index, sample in self.setting.samples(family):
            asked = Asked(picture=index, sample=sample, known=True)
            if asked.truth is not None:
                call = Detect(sample.request.pictures[0], (SALIENT[family],), masks=True)
                yield Question(picture=index, sort=f"known {family}", call=call, truth=asked)

    def update(self, truth: _Map | Asked, result: Any) -> None:
        """Judge the masks of an answer."""
        if isinstance(truth, _Map):
            self._add_map("known", truth, result)
            return
        family, found = truth.sample.family, result if truth.known else truth.found_in(result)
        if family == SEMANTIC:
            classes = np.full(truth.size_hw, -1, dtype=np.int64)
            for mask, label in zip(truth.masks, truth.labels, strict=True):
                classes[mask] = CLASSES.index(label)
            self._add_map("free", _Map(picture=truth.picture, classes=classes), found)
        elif truth.truth is None:
            self._refusals[family].add(truth.picture, len(found) == 0)
        else:
            salient = saliency_map(found)
            for name, tally in self._measures[family, "known" if truth.known else "free"].items():
                tally.add(truth.picture, _MEASURES[name](salient, truth.masks[0]))

    def _add_map(self, mode: str, truth: _Map, found: Detections) -> None:
        told = class_map(found)
        for number, tally in enumerate(self._overlaps[mode]):
            one, other = told == number, truth.classes == number
            tally.add(truth.picture, float((one & other).sum()), float((one | other).sum()))

    def compute(self) -> Scores:
        """Return the scores by family."""
        statistics: dict[str, dict[str, Statistic]] = {SEMANTIC: {}, **{family: {} for family in SALIENT}}
        for mode in self._modes:
            statistics[SEMANTIC][f"miou_{mode}"] = mean_of(self._overlaps[mode])
            for family in SALIENT:
                tallies = self._measures[family, mode]
                statistics[family] |= {f"{name}_{mode}": tally for name, tally in tallies.items()}
        if self.setting.free:
            for family, tally in self._refusals.items():
                statistics[family]["refusal_free"] = tally
        return scored(self.setting, statistics)


def class_map(found: Detections) -> NDArray[np.int64]:
    """Return int64[H, W], the place in `CLASSES` of the best-scored instance that covers each pixel; −1 for none.

    What is labelled with another word covers nothing.
    """
    classes = np.full(found.size_hw, -1, dtype=np.int64)
    if found.masks is not None:
        labels = labels_of(found)
        for i in np.argsort(found.scores, kind="stable"):
            if labels[i] in CLASSES:
                classes[found.masks[i]] = CLASSES.index(labels[i])
    return classes


def saliency_map(found: Detections) -> NDArray[np.float64]:
    """Return float[H, W] in [0, 1], the score of the best instance that covers each pixel over the best of all."""
    salient = np.zeros(found.size_hw)
    if found.masks is None or not len(found):
        return salient
    best = max(float(found.scores.max()), float(np.finfo(np.float32).tiny))
    for mask, score in zip(found.masks, found.scores, strict=True):
        salient[mask] = np.maximum(salient[mask], float(score) / best)
    return salient
