"""Questions by example: name it, describe it, count, mark it, by how many examples were shown."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from visionllm.data.world.families.example import MOST_EXAMPLES
from visionllm.evaluation.base import Question, Scores
from visionllm.evaluation.exact import ExactMatch
from visionllm.evaluation.intervals import Statistic, Tally
from visionllm.evaluation.overlaps import mask_overlap
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored

MARK = "example-mark"


class ExampleBenchmark(WorldBenchmark):
    """Free answers after one to five example pictures: exact words, and the IoU of what is marked.

    The masks that an answer returns are joined and compared with those of everything that should be marked, question by
    question; where nothing like the examples is in the new picture, the answer should mark nothing. Scores that end in
    a digit are those of the questions with so many examples.
    """

    name: ClassVar[str] = "world_example"
    group: ClassVar[str] = "example"
    version: ClassVar[int] = 2

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        names = [name for name in families_of("example", version=2) if name != MARK]
        self._matches = {name: ExactMatch(setting.limit) for name in names}
        counts = range(1, MOST_EXAMPLES + 1)
        self._by_count = {name: {n: Tally(setting.limit) for n in counts} for name in (*names, MARK)}
        self._marked, self._refusals = Tally(setting.limit), Tally(setting.limit)

    def requests(self) -> Iterator[Question]:
        """Yield every free question."""
        if self.setting.free:
            yield from by_picture(map(self.ask, self._by_count))

    def update(self, truth: Asked, result: Any) -> None:
        """Judge words or masks."""
        family = truth.sample.family
        by_count = self._by_count[family][len(truth.sample.request.pictures) - 1]
        if family != MARK:
            right = self._matches[family].add(truth.picture, truth.sample.answer.text, result.text)
            by_count.add(truth.picture, right)
        elif truth.truth is None:
            self._refusals.add(truth.picture, result.detections is None or len(result.detections) == 0)
        else:
            share = _overlap(truth, result)
            self._marked.add(truth.picture, share)
            by_count.add(truth.picture, share)

    def compute(self) -> Scores:
        """Return the scores by family and by number of examples."""
        if not self.setting.free:
            return {}
        statistics: dict[str, dict[str, Statistic]] = {}
        for name, match in self._matches.items():
            statistics[name] = match.statistics() | {f"exact_{n}": t for n, t in self._by_count[name].items()}
        marked = {f"miou_{n}_free": tally for n, tally in self._by_count[MARK].items()}
        statistics[MARK] = {"miou_free": self._marked, **marked, "refusal_free": self._refusals}
        return scored(self.setting, statistics)


def _overlap(asked: Asked, answer: Any) -> float:
    """Return the IoU of everything that was marked with everything that should be."""
    found = asked.found_in(answer)
    if found.masks is None:
        return 0.0
    inside, union = mask_overlap(np.asarray(found.masks.any(axis=0)), np.asarray(asked.masks.any(axis=0)))
    return inside / union
