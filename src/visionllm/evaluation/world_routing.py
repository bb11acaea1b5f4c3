"""Which decoder an answer opens, over all task families."""

from collections.abc import Iterator
from typing import ClassVar

from visionllm.data.world import tasks
from visionllm.data.world.tasks import ALL_FAMILIES
from visionllm.evaluation.base import Question, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Answer, Routed

# The routing tokens of each group of families, and of families that differ; the others are answered in words alone.
_TOKENS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("detect", "segment", "point", "example-mark"), frozenset({"[DET]"})),
    **dict.fromkeys(("refer", "find-sign"), frozenset({"[GRD]"})),
    "segment-semantic": frozenset({"[SEG]"}),
    "pose": frozenset({"[DET]", "[POSE]"}),
    "draw": frozenset({"[GEN]"}),
    "edit": frozenset({"[EDIT]"}),
}


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
        groups = {family.group for family in tasks.families_of(self.version).values()}
        self._right = {name: Tally(setting.limit) for name in families_of(*groups, version=self.version)}

    def requests(self) -> Iterator[Question]:
        """Yield the free questions of every family."""
        if self.setting.free:
            yield from by_picture(map(self.ask, self._right))

    def update(self, truth: Asked, result: Answer) -> None:
        """Judge the routes of an answer."""
        family, routed = truth.sample.family, routes_of(result)
        right = routed == tokens_of(family) or (not truth.sample.truth and not routed)
        self._right[family].add(truth.picture, right)

    def compute(self) -> Scores:
        """Return the mean over all families, and the means by group."""
        if not self.setting.free:
            return {}
        groups = dict.fromkeys(ALL_FAMILIES[name].group for name in self._right)
        means: dict[str, Statistic] = {"right": mean_of(list(self._right.values()))}
        for group in groups:
            families = families_of(group, version=self.version)
            means[f"right_{group}"] = mean_of([self._right[name] for name in families])
        return scored(self.setting, {self.group: means})


class SecondRoutingBenchmark(RoutingBenchmark):
    """The same over the families of version 2. Pictures that are asked for are made, so it takes as long as they do."""

    name: ClassVar[str] = "world_routing_2"
    group: ClassVar[str] = "routing-2"
    version: ClassVar[int] = 2


def tokens_of(family: str) -> frozenset[str]:
    """Return the routing tokens that the answers of a family hold where something is to be found or made."""
    return _TOKENS.get(family, _TOKENS.get(ALL_FAMILIES[family].group, frozenset()))


def routes_of(answer: Answer) -> frozenset[str]:
    """Return the routing tokens that an answer holds."""
    told = {part.token for part in answer.parts if isinstance(part, Routed)}
    return frozenset(told | set(answer.detections.routes if answer.detections is not None else ()))
