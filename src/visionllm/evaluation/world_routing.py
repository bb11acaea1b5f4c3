"""Which decoder an answer opens, over all task families."""

from collections.abc import Iterator
from typing import ClassVar

from visionllm.data.world.tasks import FAMILIES
from visionllm.evaluation.base import Question, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Answer

# The routing token of each group of families; the others are answered in words alone.
_TOKENS = {"detect": "[DET]", "segment": "[DET]", "point": "[DET]", "refer": "[GRD]"}


class RoutingBenchmark(WorldBenchmark):
    """The share of free answers that route to the right decoder, and to none where words are asked for.

    Where something is to be found, its token and no other must appear. Where nothing fits, the token may be left out:
    whether the model sees that nothing fits is scored with the refusals.
    """

    name: ClassVar[str] = "world_routing"
    group: ClassVar[str] = "routing"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._right = {name: Tally(setting.limit) for name in FAMILIES}

    def requests(self) -> Iterator[Question]:
        """Yield the free questions of every family."""
        if self.setting.free:
            yield from by_picture(map(self.ask, self._right))

    def update(self, truth: Asked, result: Answer) -> None:
        """Judge the routes of an answer."""
        family = FAMILIES[truth.sample.family]
        token = _TOKENS.get(family.group)
        routed = set() if result.detections is None else set(result.detections.routes)
        right = routed == ({token} - {None}) or (truth.truth is None and not routed)
        self._right[family.name].add(truth.picture, right)

    def compute(self) -> Scores:
        """Return the mean over all families, and the means by group."""
        if not self.setting.free:
            return {}
        groups = dict.fromkeys(family.group for family in FAMILIES.values())
        means: dict[str, Statistic] = {"right": mean_of(list(self._right.values()))}
        means |= {f"right_{group}": mean_of([self._right[name] for name in families_of(group)]) for group in groups}
        return scored(self.setting, {"routing": means})
