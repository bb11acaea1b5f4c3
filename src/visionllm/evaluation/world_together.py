"""Answers in words and boxes: right only if both are."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from visionllm.data.world.captions import normalise_answer
from visionllm.evaluation.base import Ask, Question, Scores
from visionllm.evaluation.exact import fact_score
from visionllm.evaluation.intervals import Tally
from visionllm.evaluation.labelled import labels_of
from visionllm.evaluation.overlaps import all_found
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, scored
from visionllm.types import Answer, Detections, Picture, Sample

_CAPTION = "grounded-caption"
_COUNTS = ("count-with-boxes", "count-like-marked")
_TURNS = "multi-turn with boxes"
_FAMILIES = (_CAPTION, "detect-and-describe", *_COUNTS)


class TogetherBenchmark(WorldBenchmark):
    """Grounded captions, descriptions and counts with boxes, and boxes in the second turn of a conversation.

    Words are right if they are the expected ones after normalisation; a grounded caption's, if they state exactly the
    true facts. Boxes are right if they are as many as the true ones, each with its own label and IoU ≥ 0.5.
    """

    name: ClassVar[str] = "world_together"
    group: ClassVar[str] = "together"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        scores = dict.fromkeys((*_FAMILIES, _TURNS), ("words_free", "boxes_free", "both_free"))
        scores |= dict.fromkeys(_COUNTS, (*scores[_TURNS], "count_of_boxes_free"))
        self._tallies = {family: {name: Tally(setting.limit) for name in names} for family, names in scores.items()}

    def requests(self) -> Iterator[Question]:
        """Yield every free question."""
        if self.setting.free:
            yield from by_picture((*map(self.ask, _FAMILIES), self._turns()))

    def _turns(self) -> Iterator[Question]:
        for index, second in self.setting.samples("detect-several"):
            first = self.setting.sample(index, "existence")
            if first is not None:
                asked = Asked(picture=index, sample=replace(follow_up(first, second), family=_TURNS))
                yield Question(picture=index, sort="turns", call=Ask(asked.sample.request), truth=asked)

    def update(self, truth: Asked, result: Answer) -> None:
        """Judge words and boxes."""
        family, expected = truth.sample.family, truth.sample.answer.text
        words = normalise_answer(expected) == normalise_answer(result.text)
        if family == _CAPTION:
            words = fact_score(expected, result.text) == 1.0
        found = truth.found_in(result)
        boxes = _boxes_right(truth, found)
        tallies = self._tallies[family]
        for name, right in (("words_free", words), ("boxes_free", boxes), ("both_free", words and boxes)):
            tallies[name].add(truth.picture, right)
        if "count_of_boxes_free" in tallies:
            tallies["count_of_boxes_free"].add(truth.picture, len(found) == len(truth.masks))

    def compute(self) -> Scores:
        """Return the scores by family."""
        return scored(self.setting, self._tallies) if self.setting.free else {}


def follow_up(first: Sample, second: Sample) -> Sample:
    """Ask the second question after the first was answered, about the picture that both share."""
    turns = (*first.request.messages, first.answer)
    question = second.request.messages[-1]
    parts = tuple(part for part in question.parts if not isinstance(part, Picture))
    request = replace(second.request, messages=(*turns, replace(question, parts=parts)))
    return replace(second, request=request)


def _boxes_right(asked: Asked, found: Detections) -> bool:
    truth = asked.truth
    if truth is None:
        return len(found) == 0
    told = labels_of(found)
    labels = list(dict.fromkeys((*asked.labels, *told)))
    true_ids = np.array([labels.index(asked.labels[span]) for span in truth.class_ids], dtype=np.int64)
    told_ids = np.array([labels.index(label) for label in told], dtype=np.int64)
    return all_found(found.boxes, told_ids, truth.boxes, true_ids)
