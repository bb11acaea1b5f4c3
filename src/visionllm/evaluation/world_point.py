"""From a region that points at something to the mask of that thing."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from visionllm.evaluation.base import Question, Scores, SegmentRegions
from visionllm.evaluation.intervals import Statistic, Tally
from visionllm.evaluation.labelled import labels_of
from visionllm.evaluation.overlaps import mask_overlap
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Detections, Mark


class PointBenchmark(WorldBenchmark):
    """Mean IoU and cIoU of the masks of pointed-at objects, by way of pointing.

    Both modes get the same regions. In free mode the best instance under a region's label counts, and a region on
    nothing should route nothing.
    """

    name: ClassVar[str] = "world_point"
    group: ClassVar[str] = "point"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._tallies: dict[str, Tally] = {}

    def requests(self) -> Iterator[Question]:
        """Yield every set of regions in both modes."""
        families = families_of("point")
        known = map(self._known, families) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, families if self.setting.free else ())))

    def _known(self, family: str) -> Iterator[Question]:
        for index, sample in self.setting.samples(family):
            asked = Asked(picture=index, sample=sample, known=True)
            if asked.truth is not None:
                regions = tuple(part.region for part in sample.request.messages[-1].parts if isinstance(part, Mark))
                call = SegmentRegions(self.setting.image(index), regions)
                yield Question(picture=index, sort=f"known {family}", call=call, truth=asked)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge the masks of one set of regions.

        Raises:
            ValueError: If known-class mode returns another number of instances than there are regions.
        """
        if truth.known:
            if len(result) != len(truth.labels):
                raise ValueError(f"expected {len(truth.labels)} instances, one per region, got {len(result)}")
            self._add(truth, result, range(len(result)))
            return
        found = truth.found_in(result)
        if truth.truth is None:
            self._tally("refusal_free").add(truth.picture, not found.routes)
            return
        told = np.array(labels_of(found), dtype=str)
        order = [np.flatnonzero(told == label) for label in truth.labels]
        self._add(truth, found, [int(same[np.argmax(found.scores[same])]) if len(same) else None for same in order])

    def _add(self, asked: Asked, found: Detections, picks: Sequence[int | None]) -> None:
        """Compare each true mask with the found one that was picked for it."""
        way, mode = asked.sample.family.removeprefix("segment-"), "known" if asked.known else "free"
        for mask, pick in zip(asked.masks, picks, strict=True):
            inside, union = 0, int(mask.sum())
            if pick is not None and found.masks is not None:
                inside, union = mask_overlap(found.masks[pick], mask)
            self._tally(f"miou_{way}_{mode}").add(asked.picture, inside / union)
            self._tally(f"ciou_{way}_{mode}").add(asked.picture, inside, union)

    def _tally(self, name: str) -> Tally:
        return self._tallies.setdefault(name, Tally(self.setting.limit))

    def compute(self) -> Scores:
        """Return the scores by way of pointing, all under `point`."""
        statistics: dict[str, Statistic] = dict(sorted(self._tallies.items(), reverse=True))
        return scored(self.setting, {"point": statistics}) if statistics else {}
