"""Regions in, words out: what is marked here, by family and by way of pointing."""

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from visionllm.evaluation.base import Question, Scores
from visionllm.evaluation.exact import ExactMatch
from visionllm.evaluation.intervals import Tally
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Answer, Mark, Request


class RegionBenchmark(WorldBenchmark):
    """Free answers about marked regions: right or wrong after normalisation."""

    name: ClassVar[str] = "world_region"
    group: ClassVar[str] = "region"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._matches = {name: ExactMatch(setting.limit) for name in families_of("region")}
        self._ways = {name: defaultdict[str, Tally](lambda: Tally(setting.limit)) for name in self._matches}

    def requests(self) -> Iterator[Question]:
        """Yield every free question."""
        if self.setting.free:
            yield from by_picture(map(self.ask, self._matches))

    def update(self, truth: Asked, result: Answer) -> None:
        """Judge an answer, also under each way of pointing that its question uses."""
        family = truth.sample.family
        right = self._matches[family].add(truth.picture, truth.sample.answer.text, result.text)
        for way in ways_of(truth.sample.request):
            self._ways[family][way].add(truth.picture, right)

    def compute(self) -> Scores:
        """Return the scores by family."""
        statistics = {}
        for name, match in self._matches.items():
            ways = {f"exact_{way}": tally for way, tally in sorted(self._ways[name].items())}
            statistics[name] = {**match.statistics(), **ways}
        return scored(self.setting, statistics)


def ways_of(request: Request) -> frozenset[str]:
    """Return the ways of pointing that the last message of a request uses, such as `"box"`."""
    marks = (part for part in request.messages[-1].parts if isinstance(part, Mark))
    return frozenset(type(mark.region).__name__.lower() for mark in marks)
