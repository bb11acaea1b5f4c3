"""Masks by name, asked for freely."""

from collections.abc import Iterator
from typing import ClassVar

from visionllm.evaluation.base import Question, Scores
from visionllm.evaluation.coco import CocoScorer
from visionllm.evaluation.labelled import add_pairs
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of
from visionllm.types import Answer


class SegmentBenchmark(WorldBenchmark):
    """Class-agnostic mask AP of free answers, over (picture, label) pairs. Known classes are in the group detect."""

    name: ClassVar[str] = "world_segment"
    group: ClassVar[str] = "segment"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._scorers = {name: CocoScorer(1, setting.limit, masks=True) for name in families_of("segment")}

    def requests(self) -> Iterator[Question]:
        """Yield every free question."""
        if self.setting.free:
            yield from by_picture(map(self.ask, self._scorers))

    def update(self, truth: Asked, result: Answer) -> None:
        """Judge the masks of an answer."""
        scorer = self._scorers[truth.sample.family]
        add_pairs(scorer, truth.picture, truth.labels, truth.truth, truth.found_in(result))

    def compute(self) -> Scores:
        """Return AP by family."""
        if not self.setting.free:
            return {}
        scores = {}
        for name, scorer in self._scorers.items():
            masks, boxes = scorer.matches("segm"), scorer.matches()
            draws = self.setting.resamples
            scores[name] = {"mask_ap_free": masks.ap_score(draws), "box_ap_free": boxes.ap_score(draws)}
        return scores
