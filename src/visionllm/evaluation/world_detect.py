"""Boxes and masks by name: all kinds listed at once, prompts with attributes, and what free questions find."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from visionllm.data.world.families.base import truth_of
from visionllm.data.world.families.detect import NAMED, named_phrases
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.scene import KINDS
from visionllm.evaluation.base import Detect, Question, Scores
from visionllm.evaluation.coco import CocoScorer, Matches
from visionllm.evaluation.intervals import Score, Tally
from visionllm.evaluation.labelled import add_pairs, labels_of
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture
from visionllm.types import Detections, DetectionTruth

_BY_KIND = ("detect-one", "detect-several")
_FREE = (*_BY_KIND, "detect-everything", "detect-attribute", "detect-nothing")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """What a pass over known classes should find; `table` is where it is scored."""

    picture: int
    table: str
    truth: DetectionTruth


class DetectBenchmark(WorldBenchmark):
    """COCO average precision, and instances of kinds that are not there.

    Known classes: all kinds of the world in one pass with every score kept; and one phrase with attributes a pass, half
    of them absent, as class-agnostic AP over (picture, phrase) pairs. Free: AP of the instances that the answers
    return, by kind where kinds were asked for and by (picture, label) pairs otherwise; and how often an answer routes
    nothing where nothing is to be found.
    """

    name: ClassVar[str] = "world_detect"
    group: ClassVar[str] = "detect"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._known = {
            "detect": CocoScorer(len(KINDS), setting.limit, masks=True),
            "attribute": CocoScorer(1, setting.limit),
        }
        self._free = {"detect": CocoScorer(len(KINDS), setting.limit)}
        self._free |= {name: CocoScorer(1, setting.limit) for name in ("attribute", "detect-everything")}
        self._refusals = Tally(setting.limit)

    def requests(self) -> Iterator[Question]:
        """Yield passes over known classes and free questions."""
        known = (self.kinds(), self._phrases()) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, _FREE if self.setting.free else ())))

    def kinds(self) -> Iterator[Question]:
        """Yield passes over all kinds of the world."""
        for index in self.setting.asked_about("kinds"):
            scene = self.setting.picture(index).scene
            truth = truth_of([Phrase(kind=kind).among(scene.objects) for kind in KINDS], scene.size_hw)
            known = _Known(picture=index, table="detect", truth=truth)
            call = Detect(self.setting.image(index), KINDS, masks=True)
            yield Question(picture=index, sort="kinds", call=call, truth=known)

    def _phrases(self) -> Iterator[Question]:
        for index in self.setting.asked_about("attribute prompts"):
            desk = self.setting.desk(index, "attribute prompts")
            absent = desk.absent(desk.dice.choose(NAMED))
            phrases = [*named_phrases(desk, 1), *([absent] if absent else [])]
            for number, phrase in enumerate(phrases):
                truth = truth_of([phrase.among(desk.objects)], desk.picture.scene.size_hw)
                yield Question(
                    picture=index,
                    sort="phrase",
                    number=number,
                    call=Detect(self.setting.image(index), (phrase.one,)),
                    truth=_Known(picture=index, table="attribute", truth=truth),
                )

    def update(self, truth: _Known | Asked, result: Any) -> None:
        """Judge what was found."""
        if isinstance(truth, _Known):
            self._known[truth.table].add(truth.picture, truth.truth, result)
        else:
            self._update_free(truth, truth.found_in(result))

    def _update_free(self, asked: Asked, found: Detections) -> None:
        family = asked.sample.family
        if family in _BY_KIND:
            self._free["detect"].add(asked.picture, *_by_kind(asked, found))
        elif family == "detect-nothing":
            self._refusals.add(asked.picture, not found.routes)
        else:
            table = "attribute" if family == "detect-attribute" else family
            add_pairs(self._free[table], asked.picture, asked.labels, asked.truth, found)

    def kind_matches(self) -> Matches:
        """Return what the passes over all kinds found, box by box."""
        return self._known["detect"].matches()

    def compute(self) -> Scores:
        """Return AP under `detect` and `attribute`, false positives under `absent`, and some free scores by family."""
        scores: dict[str, dict[str, Score]] = {"detect": {}, "attribute": {}}
        draws = self.setting.resamples
        if self.setting.known:
            boxes = self.kind_matches()
            scores["detect"] |= {"box_ap_known": boxes.ap_score(draws), "box_ap50_known": boxes.ap50_score(draws)}
            scores["detect"]["mask_ap_known"] = self._known["detect"].matches("segm").ap_score(draws)
            scores["attribute"]["box_ap_known"] = self._known["attribute"].matches().ap_score(draws)
            scores["absent"] = {
                "false_positives_known": self.setting.score(boxes.false_positives),
                "recall_known": self.setting.score(boxes.recall),
            }
        if self.setting.free:
            for family, scorer in self._free.items():
                matches = scorer.matches()
                some = scores.setdefault(family, {})
                some |= {"box_ap_free": matches.ap_score(draws), "box_ap50_free": matches.ap50_score(draws)}
            scores["detect-nothing"] = {"refusal_free": self.setting.score(self._refusals)}
        return scores


def _by_kind(asked: Asked, found: Detections) -> tuple[DetectionTruth, Detections]:
    """Number the spans of truth and result by their kinds; what is labelled with no kind is no answer."""
    truth = asked.truth or truth_of((), found.size_hw)
    ids = np.array([KINDS.index(asked.labels[span]) for span in truth.class_ids], dtype=np.int64)
    kinds = replace(truth, class_ids=ids)
    labels = np.array(labels_of(found), dtype=str)
    found = found.select(np.isin(labels, KINDS))
    ids = np.array([KINDS.index(label) for label in labels if label in KINDS], dtype=np.int64)
    return kinds, replace(found, class_ids=ids, class_names=KINDS, routes=(), spans=())
