"""Other domains: talk, marked regions and boxes in pictures from above, scans and workpieces, relative to test."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.families.base import truth_of
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.staging.stamps import DOMAINS
from visionllm.evaluation.base import Detect, Question, Scores
from visionllm.evaluation.coco import CocoScorer
from visionllm.evaluation.exact import ExactMatch
from visionllm.evaluation.intervals import Score, Statistic, mean_of
from visionllm.evaluation.labelled import add_pairs
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture
from visionllm.evaluation.world_detect import DetectBenchmark
from visionllm.evaluation.world_talk import TalkBenchmark
from visionllm.types import DetectionTruth

_TALK = ("existence", "count")
_WORDS = (*_TALK, "caption", "recognition")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """What a pass over all kinds of a domain should find."""

    picture: int
    domain: str
    truth: DetectionTruth


@dataclass(frozen=True, kw_only=True, eq=False)
class _Base:
    """A question of version 1, which the domains are compared with."""

    benchmark: TalkBenchmark | DetectBenchmark
    truth: Any


class DomainBenchmark(WorldBenchmark):
    """Exact words and box AP for each domain, and both as shares of those of version 1 in the same split.

    Talk is the mean over existence and count, as version 1's is a mean over exact answers; captions and marked regions
    are reported by themselves. Box AP with known classes lists all kinds of the domain in one pass with every score
    kept; free, it is class-agnostic over (picture, label) pairs. Version 1's questions for talk and its passes over all
    kinds are asked, too, so that both numbers of a share come from one run; its interval draws both sets of pictures
    anew.
    """

    name: ClassVar[str] = "world_domain"
    group: ClassVar[str] = "domain"
    version: ClassVar[int] = 2

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        pictures = setting.limit
        self._words = {f"{domain}-{name}": ExactMatch(pictures) for domain in DOMAINS for name in _WORDS}
        self._known = {domain: CocoScorer(len(kinds), pictures, masks=True) for domain, kinds in DOMAINS.items()}
        self._free = {domain: CocoScorer(1, pictures) for domain in DOMAINS}
        self._talk, self._detect = TalkBenchmark(setting), DetectBenchmark(setting)

    def requests(self) -> Iterator[Question]:
        """Yield the questions about every domain and those of version 1."""
        known = (*map(self._kinds, DOMAINS), self._base(self._detect)) if self.setting.known else ()
        families = (*self._words, *(f"{domain}-detect" for domain in DOMAINS))
        free = (*map(self.ask, families), self._base(self._talk)) if self.setting.free else ()
        yield from by_picture((*known, *free))

    def _kinds(self, domain: str) -> Iterator[Question]:
        kinds = DOMAINS[domain]
        for index in self.setting.asked_about(domain):
            scene = self.setting.picture(index, domain).scene
            truth = truth_of([Phrase(kind=kind).among(scene.finds) for kind in kinds], scene.size_hw)
            known = _Known(picture=index, domain=domain, truth=truth)
            call = Detect(self.setting.image(index, domain), kinds, masks=True)
            yield Question(picture=index, sort=f"kinds {domain}", call=call, truth=known)

    def _base(self, benchmark: TalkBenchmark | DetectBenchmark) -> Iterator[Question]:
        asked = benchmark.kinds() if isinstance(benchmark, DetectBenchmark) else benchmark.requests()
        for question in asked:
            yield replace(question, truth=_Base(benchmark=benchmark, truth=question.truth))

    def update(self, truth: _Known | _Base | Asked, result: Any) -> None:
        """Judge words or boxes."""
        if isinstance(truth, _Base):
            truth.benchmark.update(truth.truth, result)
        elif isinstance(truth, _Known):
            self._known[truth.domain].add(truth.picture, truth.truth, result)
        elif truth.sample.family in self._words:
            self._words[truth.sample.family].add(truth.picture, truth.sample.answer.text, result.text)
        else:
            scorer = self._free[truth.sample.family.removesuffix("-detect")]
            add_pairs(scorer, truth.picture, truth.labels, truth.truth, truth.found_in(result))

    def compute(self) -> Scores:
        """Return the scores by domain, then exact words by family."""
        setting, draws = self.setting, self.setting.resamples
        scores: dict[str, dict[str, Score]] = {domain: {} for domain in DOMAINS}
        exact = {name: match.statistics() for name, match in self._words.items()}
        base = self._detect.kind_matches()
        for domain, some in scores.items():
            if setting.free:
                talk = mean_of([exact[f"{domain}-{name}"]["exact"] for name in _TALK])
                some |= {
                    "talk": setting.score(talk),
                    "talk_relative": setting.score(share_of(talk, self._talk.exact)),
                    "box_ap_free": self._free[domain].matches().ap_score(draws),
                }
            if setting.known:
                boxes = self._known[domain].matches()
                relative = share_of(boxes.average_precision, base.average_precision)
                some |= {
                    "box_ap_known": boxes.ap_score(draws),
                    "box_ap50_known": boxes.ap50_score(draws),
                    "mask_ap_known": self._known[domain].matches("segm").ap_score(draws),
                    "box_ap_relative_known": setting.score(relative),
                }
        if setting.free:
            scores |= {name: {key: setting.score(s) for key, s in some.items()} for name, some in exact.items()}
        return scores


def share_of(part: Statistic, whole: Statistic) -> Statistic:
    """Return one statistic over another; NaN where the other is 0 or not defined."""

    def share(weights: NDArray[np.float64]) -> float:
        over = whole(weights)
        return part(weights) / over if over > 0 else math.nan

    return share
