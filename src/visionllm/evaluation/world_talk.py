"""Talk about a picture: exact words, family by family, and the facts that captions state."""

from collections.abc import Iterator
from typing import ClassVar

from visionllm.evaluation.base import Question, Scores
from visionllm.evaluation.exact import ExactMatch, fact_score
from visionllm.evaluation.intervals import Statistic, Tally, least_of, mean_of
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Answer

CAPTION = "caption"


class TalkBenchmark(WorldBenchmark):
    """Free answers about a picture: right or wrong after normalisation, and F1 over the facts of a caption.

    `talk` holds the mean over all families but the caption, and the least margin of a family above its commonest
    answer.
    """

    name: ClassVar[str] = "world_talk"
    group: ClassVar[str] = "talk"

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._matches = {name: ExactMatch(setting.limit) for name in families_of("talk") if name != CAPTION}
        self._facts = Tally(setting.limit)

    def requests(self) -> Iterator[Question]:
        """Yield every free question."""
        if self.setting.free:
            yield from by_picture(map(self.ask, (CAPTION, *self._matches)))

    def update(self, truth: Asked, result: Answer) -> None:
        """Judge an answer."""
        expected = truth.sample.answer.text
        if truth.sample.family == CAPTION:
            self._facts.add(truth.picture, fact_score(expected, result.text))
        else:
            self._matches[truth.sample.family].add(truth.picture, expected, result.text)

    @property
    def exact(self) -> Statistic:
        """The share of exact answers, meaned over the families."""
        return mean_of([match.statistics()["exact"] for match in self._matches.values()])

    def compute(self) -> Scores:
        """Return the scores by family, and of all of them under `talk`."""
        families = {name: match.statistics() for name, match in self._matches.items()}
        together = {
            "exact": self.exact,
            "weakest_margin": least_of([s["margin"] for s in families.values()]),
        }
        return scored(self.setting, {"talk": together, CAPTION: {"f1": self._facts}, **families})
