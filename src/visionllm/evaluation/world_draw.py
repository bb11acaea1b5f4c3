"""New pictures: whether they show what was asked for, as the judge sees it."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from visionllm.data.world.judging import read_wish, shows
from visionllm.evaluation.base import Draw, Question, Scores
from visionllm.evaluation.intervals import Statistic, Tally, mean_of
from visionllm.evaluation.pictures import made_in
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import PictureTruth

PARTS: Mapping[str, tuple[str, ...]] = {
    "kind_and_colour": ("draw-one", "draw-several"),
    "count_and_relation": ("draw-count", "draw-relation"),
    "figures": ("draw-figures",),
}
"""What is reported together; figures stand apart, as their shapes are the hardest to name."""


class DrawBenchmark(WorldBenchmark):
    """The share of new pictures that show what was asked for, no more and no less.

    A picture is judged at the size it was made at, which may be smaller than the canvas; `ceiling` says how many right
    pictures the judge recognises at that size. The seed of each picture follows from the seed of the run, the family
    and the number of the question. Free: the whole question, and an answer that makes no picture, or several, is wrong.
    Known classes: the words of the wish alone.
    """

    name: ClassVar[str] = "world_draw"
    group: ClassVar[str] = "draw"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("generation",)

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._modes = [mode for mode, judged in (("known", setting.known), ("free", setting.free)) if judged]
        families = families_of("draw", version=2)
        self._right = {mode: {name: Tally(setting.limit) for name in families} for mode in self._modes}
        self._made = {mode: Tally(setting.limit) for mode in self._modes}

    def requests(self) -> Iterator[Question]:
        """Yield every prompt in both modes."""
        families = families_of("draw", version=2)
        known = map(self._known, families) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, families if self.setting.free else ())))

    def _known(self, family: str) -> Iterator[Question]:
        for index, sample in self.setting.samples(family):
            asked = Asked(picture=index, sample=sample, known=True)
            call = Draw(drawing_of(asked).caption, sample.request.options)
            yield Question(picture=index, sort=f"known {family}", call=call, truth=asked)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge the picture that was made."""
        mode, pixels = "known" if truth.known else "free", made_in(result)
        right = pixels is not None and shows(pixels, read_wish(drawing_of(truth).caption))
        self._right[mode][truth.sample.family].add(truth.picture, right)
        self._made[mode].add(truth.picture, pixels is not None)

    def compute(self) -> Scores:
        """Return the means under `draw`, then the share of right pictures by family."""
        statistics: dict[str, dict[str, Statistic]] = {"draw": {}}
        for mode in self._modes:
            right = self._right[mode]
            for part, families in PARTS.items():
                statistics["draw"][f"{part}_{mode}"] = mean_of([right[name] for name in families])
            statistics["draw"][f"made_{mode}"] = self._made[mode]
            for name, tally in right.items():
                statistics.setdefault(name, {})[f"shows_{mode}"] = tally
        return scored(self.setting, statistics)


def drawing_of(asked: Asked) -> PictureTruth:
    """Return a right picture with the words of its wish.

    Raises:
        ValueError: If no new picture is asked for.
    """
    truth = asked.sample.truth.get("generation")
    if not isinstance(truth, PictureTruth):
        raise ValueError(f"expected a question for a new picture, got one of {asked.sample.family}")
    return truth
