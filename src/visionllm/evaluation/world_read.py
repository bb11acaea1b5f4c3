"""Signs: what they say, and which one says something."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from visionllm.data.world.families.read import quoted
from visionllm.evaluation.base import Question, Refer, Scores
from visionllm.evaluation.exact import ExactMatch
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.overlaps import box_ious
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored, theme_of
from visionllm.types import Detections

FIND = "find-sign"


class ReadBenchmark(WorldBenchmark):
    """The words on signs: right or wrong after normalisation, which passes over capitals. Finding a sign: P@.5.

    The best-scored box counts. Where no sign says the words, a free answer should find nothing. Known classes hear the
    phrase `the sign that says "…"`, and only where there is such a sign.
    """

    name: ClassVar[str] = "world_read"
    group: ClassVar[str] = "read"
    version: ClassVar[int] = 2

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        names = [name for name in families_of("read", version=2) if name != FIND]
        self._matches = {name: ExactMatch(setting.limit) for name in names}
        self._found = {mode: Tally(setting.limit) for mode in ("known", "free")}
        self._refusals = Tally(setting.limit)

    def requests(self) -> Iterator[Question]:
        """Yield every free question, and the phrases in known-class mode."""
        known = (self._known(),) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, (*self._matches, FIND) if self.setting.free else ())))

    def _known(self) -> Iterator[Question]:
        for index, sample in self.setting.samples(FIND):
            asked = Asked(picture=index, sample=sample, known=True)
            if asked.truth is None:
                continue
            place = tuple(asked.truth.boxes[0].tolist())
            signs = self.setting.picture(index, theme_of(FIND)).scene.signs
            words = next(sign.text for sign in signs if sign.box == place)
            options = replace(sample.request.options, threshold=0.0)
            call = Refer(sample.request.pictures[0], f"the sign that says {quoted(words)}", options)
            yield Question(picture=index, sort=f"known {FIND}", call=call, truth=asked)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge words or a box."""
        family = truth.sample.family
        if family != FIND:
            self._matches[family].add(truth.picture, truth.sample.answer.text, result.text)
            return
        found: Detections = result if truth.known else truth.found_in(result)
        if truth.truth is None:
            self._refusals.add(truth.picture, len(found) == 0)
            return
        best = found.boxes[np.argsort(-found.scores, kind="stable")[:1]]
        right = len(best) == 1 and float(box_ious(best, truth.truth.boxes)[0, 0]) >= 0.5
        self._found["known" if truth.known else "free"].add(truth.picture, right)

    def compute(self) -> Scores:
        """Return the mean over the families that read under `read`, then the scores by family."""
        statistics: dict[str, dict[str, Statistic]] = {}
        find: dict[str, Statistic] = {}
        if self.setting.free:
            families = {name: match.statistics() for name, match in self._matches.items()}
            statistics["read"] = {"exact": mean_of([some["exact"] for some in families.values()])}
            statistics |= families
        if self.setting.known:
            find["p50_known"] = self._found["known"]
        if self.setting.free:
            find |= {"p50_free": self._found["free"], "refusal_free": self._refusals}
        return scored(self.setting, {**statistics, FIND: find})
